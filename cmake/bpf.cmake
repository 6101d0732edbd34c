# SPDX-License-Identifier: Apache-2.0
# bpf_object(NAME SOURCE): compiles SOURCE for BPF and writes NAME.skel.h into the build folder (target NAME_skeleton).
# The same sources give the same object in any folder: types come from the header in bpf/vmlinux, never from this kernel.
find_program(CLANG NAMES clang-14 clang REQUIRED)
file(GLOB BPFTOOL_FOLDERS /usr/lib/linux-tools/* /usr/lib/linux-tools-*) # Ubuntu
find_program(BPFTOOL bpftool PATHS ${BPFTOOL_FOLDERS} /usr/sbin /sbin REQUIRED)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(BPF_ARCH arm64)
else()
    set(BPF_ARCH x86)
endif()

function(bpf_object name source)
    set(object ${CMAKE_BINARY_DIR}/${name}.bpf.o)
    set(skeleton ${CMAKE_BINARY_DIR}/${name}.skel.h)
    add_custom_command(
        OUTPUT ${object}
        COMMAND ${CLANG} -O2 -g -Wall -Werror -mcpu=v3 -target bpf -D__TARGET_ARCH_${BPF_ARCH}
                -I${CMAKE_SOURCE_DIR}/bpf/vmlinux/${BPF_ARCH} -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.
                -MD -MF ${object}.d -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
        DEPENDS ${source}
        DEPFILE ${object}.d
        WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
        VERBATIM)
    add_custom_command(
        OUTPUT ${skeleton}
        COMMAND echo "// NOLINTBEGIN: written by bpftool" > ${skeleton}
        COMMAND ${BPFTOOL} gen skeleton ${object} name ${name}_bpf >> ${skeleton}
        COMMAND echo "// NOLINTEND" >> ${skeleton}
        DEPENDS ${object})
    add_custom_target(${name}_skeleton DEPENDS ${skeleton})
endfunction()
