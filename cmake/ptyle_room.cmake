# One library a room: ptyle_room(core SOURCES a.cpp b.cpp LINK other libraries). A room without
# sources is a header-only one. Includes read "room/file.hpp".
function(ptyle_room name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK;PRIVATE" ${ARGN})
  if(arg_SOURCES)
    add_library(ptyle_${name} STATIC ${arg_SOURCES})
    target_include_directories(ptyle_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(ptyle_${name} PUBLIC ${arg_LINK} PRIVATE ${arg_PRIVATE})
  else()
    add_library(ptyle_${name} INTERFACE)
    target_include_directories(ptyle_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(ptyle_${name} INTERFACE ${arg_LINK})
  endif()
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
  add_executable(test_${room} ${arg_SOURCES})
  target_include_directories(test_${room} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(test_${room} PRIVATE PTYLE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(test_${room} PRIVATE ${arg_LINK} ${main})
  gtest_discover_tests(test_${room} TEST_PREFIX "${room}." TEST_FILTER "-*Cuda*" TEST_LIST test_${room}_all
    DISCOVERY_TIMEOUT 120 PROPERTIES TIMEOUT 600)
  gtest_discover_tests(test_${room} TEST_PREFIX "${room}." TEST_FILTER "*Cuda*" TEST_LIST test_${room}_gpu
    DISCOVERY_TIMEOUT 120 PROPERTIES TIMEOUT 600 LABELS gpu)
endfunction()
