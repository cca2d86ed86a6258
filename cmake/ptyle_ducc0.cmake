# The FFT of ducc0 (PTYLE_FFT=ducc0): headers in PTYLE_DUCC0, from its source distribution on PyPI.
#
# 1. The distribution is the file PTYLE_DUCC0_SOURCE, or else is downloaded by pip.
# 2. Only its FFT and what that includes are unpacked: ducc0 as a whole is GPL, these files may be
#    used under BSD-3-Clause instead, and each has to say so.
# 3. Their licence, which has to go with every binary, is written beside the program's.

set(PTYLE_DUCC0_VERSION 0.42.0)
set(ducc0_hash 4e11c59b53a43355b053aebb2a62ee16eebeed026575f7d216cf09d437ce52ef)  # SHA-256
set(ducc0_files
  fft/fft.h fft/fft1d_impl.h fft/fftnd_impl.h
  infra/aligned_array.h infra/error_handling.h infra/mav.h infra/misc_utils.h infra/simd.h
  infra/threading.h infra/useful_macros.h
  math/cmplx.h math/unity_roots.h)

set(name ducc0-${PTYLE_DUCC0_VERSION})
set(folder ${CMAKE_BINARY_DIR}/ducc0)
set(PTYLE_DUCC0_SOURCE "" CACHE FILEPATH "${name}.tar.gz of PyPI; empty: pip downloads it")
set(archive ${PTYLE_DUCC0_SOURCE})
if(NOT archive)
  set(archive ${folder}/${name}.tar.gz)
  if(NOT EXISTS ${archive})
    find_package(Python3 REQUIRED COMPONENTS Interpreter)
    message(STATUS "Downloading ${name} by pip")
    execute_process(
      COMMAND ${Python3_EXECUTABLE} -m pip download --quiet --no-deps --no-binary ducc0
        --dest ${folder} ducc0==${PTYLE_DUCC0_VERSION}
      RESULT_VARIABLE failed)
    if(failed OR NOT EXISTS ${archive})
      message(FATAL_ERROR "pip could not download ${name}: get ${name}.tar.gz from PyPI and give its "
        "place, -DPTYLE_DUCC0_SOURCE=FOLDER/${name}.tar.gz, or build with -DPTYLE_FFT=fftw")
    endif()
  endif()
endif()
if(NOT EXISTS ${archive})
  message(FATAL_ERROR "PTYLE_DUCC0_SOURCE: there is no file ${archive}")
endif()
file(SHA256 ${archive} hash)
if(NOT hash STREQUAL ducc0_hash)
  message(FATAL_ERROR "${archive} is not the ${name}.tar.gz of PyPI: its SHA-256 is ${hash}, not ${ducc0_hash}")
endif()

list(TRANSFORM ducc0_files PREPEND ${name}/src/ducc0/ OUTPUT_VARIABLE patterns)
file(ARCHIVE_EXTRACT INPUT ${archive} DESTINATION ${folder} PATTERNS ${patterns})
set(PTYLE_DUCC0 ${folder}/${name}/src)
set(holders)
foreach(file ${ducc0_files})
  file(STRINGS ${PTYLE_DUCC0}/ducc0/${file} licence REGEX "SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-or-later")
  if(NOT licence)
    message(FATAL_ERROR "${name}: ${file} is not offered under BSD-3-Clause")
  endif()
  file(STRINGS ${PTYLE_DUCC0}/ducc0/${file} lines REGEX "Copyright \\(C\\)")
  list(TRANSFORM lines REPLACE ".*(Copyright \\(C\\).*[^ ]) *" "\\1")
  list(APPEND holders ${lines})
endforeach()
list(REMOVE_DUPLICATES holders)
list(JOIN holders "\n" holders)
file(READ ${PTYLE_DUCC0}/ducc0/fft/fft.h text)
string(REGEX MATCH "All rights reserved.*SUCH DAMAGE\\." terms "${text}")
if(NOT terms)
  message(FATAL_ERROR "${name}: the terms of BSD-3-Clause are not in fft.h")
endif()
file(WRITE ${CMAKE_BINARY_DIR}/LICENSE-ducc0
  "ptyle contains the FFT of ${name}, under BSD-3-Clause.\n\n${holders}\n\n${terms}\n")
install(FILES ${CMAKE_BINARY_DIR}/LICENSE-ducc0 DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(PTYLE_PYTHON)
  install(FILES ${CMAKE_BINARY_DIR}/LICENSE-ducc0 DESTINATION ptyle COMPONENT python)
endif()
