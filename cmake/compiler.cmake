# SPDX-License-Identifier: Apache-2.0
# One set of flags for every C file of the tree.
option(WEFT_SANITIZE "Build with address and undefined behaviour sanitizers" OFF)
option(WEFT_FUZZ "Build the fuzz targets (clang only)" OFF)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_compile_definitions(_GNU_SOURCE)
add_compile_options(-Wall -Wextra -Werror)
include_directories(${CMAKE_SOURCE_DIR})
include_directories(SYSTEM ${CMAKE_BINARY_DIR}) # skeletons, which bpftool writes

if(WEFT_SANITIZE)
    # A finding ends the program: a test that goes on after undefined behaviour would pass.
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=address,undefined)
else()
    add_compile_options(-fstack-protector-strong)
    add_compile_definitions($<$<CONFIG:RelWithDebInfo>:_FORTIFY_SOURCE=2>)
    add_link_options(-pie -Wl,-z,relro,-z,now)
endif()
if(WEFT_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
# The same binary whatever folder it is built in.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
