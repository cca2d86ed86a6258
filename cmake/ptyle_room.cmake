# One library a room: ptyle_room(core SOURCES a.cpp b.cpp LINK other libraries). A room without
# sources is a header-only one. Includes read "room/file.hpp". OWN_FLAGS: it is compiled with flags
# of its own, so that the header that was compiled for all does not serve it.
function(ptyle_room name)
  set(includes $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/ptyle>)
  cmake_parse_arguments(arg "OWN_FLAGS" "" "SOURCES;LINK;PRIVATE" ${ARGN})
  if(arg_SOURCES)
    add_library(ptyle_${name} STATIC ${arg_SOURCES})
    target_include_directories(ptyle_${name} PUBLIC ${includes})
    target_link_libraries(ptyle_${name} PUBLIC ${arg_LINK} PRIVATE ${arg_PRIVATE})
    if(NOT arg_OWN_FLAGS)
      target_precompile_headers(ptyle_${name} REUSE_FROM ptyle_headers)
    endif()
  else()
    add_library(ptyle_${name} INTERFACE)
    target_include_directories(ptyle_${name} INTERFACE ${includes})
    target_link_libraries(ptyle_${name} INTERFACE ${arg_LINK})
  endif()
endfunction()

# A program of tests: ptyle_test_program(test_a SOURCES a.cpp LINK libraries). Tests are compiled with
# less optimisation than what they test, and share one precompiled header.
function(ptyle_test_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE PTYLE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_compile_options(${name} PRIVATE -O1)
  target_precompile_headers(${name} REUSE_FROM test_headers)
  target_link_libraries(${name} PRIVATE ${arg_LINK} test_headers)
endfunction()

# The tests of a room: ptyle_test(core SOURCES test_a.cpp LINK extra libraries). Those of a real GPU
# have "Cuda" in their name, and the label gpu; a program that has any is a GPU one, with the main of
# tests/gpu_main.cpp: ptyle_test(core GPU SOURCES ...).
function(ptyle_test room)
  cmake_parse_arguments(arg "GPU" "" "SOURCES;LINK" ${ARGN})
  set(main GTest::gtest_main)
  if(arg_GPU)
    list(APPEND arg_SOURCES ${CMAKE_SOURCE_DIR}/tests/gpu_main.cpp)
    set(main GTest::gtest)
  endif()
  ptyle_test_program(test_${room} SOURCES ${arg_SOURCES} LINK ${arg_LINK} ${main})
  gtest_discover_tests(test_${room} TEST_PREFIX "${room}." TEST_FILTER "-*Cuda*" TEST_LIST test_${room}_all
    DISCOVERY_TIMEOUT 120 PROPERTIES TIMEOUT 600)
  gtest_discover_tests(test_${room} TEST_PREFIX "${room}." TEST_FILTER "*Cuda*" TEST_LIST test_${room}_gpu
    DISCOVERY_TIMEOUT 120 PROPERTIES TIMEOUT 600 LABELS gpu)
endfunction()
