# nvcc among the packages of Python, where CMake finds none elsewhere: CUDA 13 and later as
#   python3 -m pip install nvidia-cuda-nvcc nvidia-cuda-runtime nvidia-cufft
# in the environment of the interpreter that builds. They lie in site-packages/nvidia/cu13, where
# FindCUDAToolkit finds the rest beside nvcc.
function(ptyle_cuda_of_python)
  find_package(Python3 QUIET COMPONENTS Interpreter)
  set(python ${Python3_EXECUTABLE})
  if(Python_EXECUTABLE)  # pip's
    set(python ${Python_EXECUTABLE})
  endif()
  if(NOT python)
    return()
  endif()
  # pip builds with an environment of its own before this one.
  execute_process(COMMAND ${python} -c "import sysconfig; print(sysconfig.get_path('purelib'))"
    OUTPUT_VARIABLE packages OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  file(GLOB found ${packages}/nvidia/*/bin/nvcc)
  if(found)
    list(GET found -1 nvcc)  # the newest
    set(CMAKE_CUDA_COMPILER ${nvcc} CACHE FILEPATH "nvcc of Python's packages" FORCE)
    message(STATUS "nvcc is taken from Python's packages: ${nvcc}")
  endif()
endfunction()
