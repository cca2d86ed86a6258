# The version of program, libraries and Python package: PTYLE_VERSION, and its numbers X.Y.Z alone,
# PTYLE_VERSION_NUMBERS. Included before project(); `cmake -P` prints it.
#
# 1. pip says it (ptyle_version.py, by these rules)
# 2. the newest tag vX.Y.Z of the checkout: X.Y.Z, or X.Y.Z+N.gCOMMIT where N commits followed
# 3. without a tag or without git, the version in CITATION.cff
set(sources ${CMAKE_CURRENT_LIST_DIR}/..)
set(PTYLE_VERSION ${SKBUILD_PROJECT_VERSION_FULL})
if(NOT PTYLE_VERSION AND EXISTS ${sources}/.git)
  find_program(GIT_EXECUTABLE git)
  if(GIT_EXECUTABLE)
    execute_process(
      COMMAND ${GIT_EXECUTABLE} -C ${sources} describe --tags --long --abbrev=10 --match "v[0-9]*.[0-9]*.[0-9]*"
      OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(described MATCHES "^v([0-9]+\\.[0-9]+\\.[0-9]+)-([0-9]+)-(g[0-9a-f]+)$")
      set(PTYLE_VERSION ${CMAKE_MATCH_1})
      if(CMAKE_MATCH_2 GREATER 0)
        string(APPEND PTYLE_VERSION "+${CMAKE_MATCH_2}.${CMAKE_MATCH_3}")
      endif()
    endif()
  endif()
endif()
if(NOT PTYLE_VERSION)
  file(STRINGS ${sources}/CITATION.cff PTYLE_VERSION REGEX "^version: ")
  string(REPLACE "version: " "" PTYLE_VERSION "${PTYLE_VERSION}")
endif()
if(NOT PTYLE_VERSION MATCHES "^([0-9]+\\.[0-9]+\\.[0-9]+)(\\+[0-9]+\\.g[0-9a-f]+)?$")
  message(FATAL_ERROR "the version is '${PTYLE_VERSION}'; the line 'version: X.Y.Z' of CITATION.cff or a tag vX.Y.Z gives it")
endif()
set(PTYLE_VERSION_NUMBERS ${CMAKE_MATCH_1})
if(CMAKE_SCRIPT_MODE_FILE)
  execute_process(COMMAND ${CMAKE_COMMAND} -E echo ${PTYLE_VERSION})  # to stdout
endif()
