# nvcc among the packages of Python, where CMake finds none elsewhere: CUDA 13 and later as
#   python3 -m pip install nvidia-cuda-nvcc nvidia-cuda-runtime nvidia-cuda-cccl nvidia-cufft
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
    set(CMAKE_CUDA_COMPILER ${nvcc} PARENT_SCOPE)  # check_language has set it
    # FindCUDAToolkit looks for libcudart.so, which the packages have under its full name alone.
    get_filename_component(toolkit ${nvcc}/../.. ABSOLUTE)
    file(GLOB cudart ${toolkit}/lib/libcudart.so*)
    if(cudart)
      list(GET cudart 0 cudart)
      set(CUDA_CUDART ${cudart} CACHE FILEPATH "of Python's packages")
    endif()
    message(STATUS "nvcc is taken from Python's packages: ${nvcc}")
  endif()
endfunction()
