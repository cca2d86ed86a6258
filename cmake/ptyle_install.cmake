# What `cmake --install` puts there for other CMake projects: the rooms' libraries and headers, and
# the package ptyle, which find_package(ptyle) finds. Its target ptyle::ptyle has the session and all
# that that needs; ptyle::exchange_mpi, where it was built, the ranks of MPI.
include(CMakePackageConfigHelpers)

add_library(ptyle_library INTERFACE)
set_target_properties(ptyle_library PROPERTIES EXPORT_NAME ptyle)
target_compile_features(ptyle_library INTERFACE cxx_std_20)
target_link_libraries(ptyle_library INTERFACE ptyle_session)
target_include_directories(ptyle_library INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
add_library(ptyle::ptyle ALIAS ptyle_library)

set(rooms core physics device operator tiles exchange prepare solver analysis io simulate session)
set(libraries ptyle_library)
foreach(room ${rooms} exchange_mpi)
  if(TARGET ptyle_${room})
    set_target_properties(ptyle_${room} PROPERTIES EXPORT_NAME ${room})
    list(APPEND libraries ptyle_${room})
  endif()
endforeach()
install(TARGETS ${libraries} EXPORT ptyleTargets)

install(DIRECTORY include/ptyle DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
foreach(room ${rooms})
  install(DIRECTORY src/${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ptyle FILES_MATCHING PATTERN "*.hpp"
    PATTERN emulated EXCLUDE)
endforeach()

set(PTYLE_HAS_MPI OFF)
if(TARGET ptyle_exchange_mpi)
  set(PTYLE_HAS_MPI ON)
endif()
set(PTYLE_HAS_CUDA OFF)
if(CMAKE_CUDA_COMPILER)
  set(PTYLE_HAS_CUDA ON)
endif()
set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/ptyle)
configure_package_config_file(cmake/ptyleConfig.cmake.in ${CMAKE_BINARY_DIR}/ptyleConfig.cmake
  INSTALL_DESTINATION ${folder})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/ptyleConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT ptyleTargets NAMESPACE ptyle:: DESTINATION ${folder})
install(FILES ${CMAKE_BINARY_DIR}/ptyleConfig.cmake ${CMAKE_BINARY_DIR}/ptyleConfigVersion.cmake
  DESTINATION ${folder})
