# SPDX-License-Identifier: Apache-2.0
# Run at build time: cmake -DOUTPUT=assets.c -DROOT=web -DFILES=a;b -P embed.cmake
# Writes a C file that takes each file in with .incbin and lists them in a table (web/assets.h).
set(types_html "text/html; charset=utf-8")
set(types_css "text/css; charset=utf-8")
set(types_js "text/javascript; charset=utf-8")
set(types_svg "image/svg+xml")

set(data "")
set(rows "")
set(count 0)
foreach(file IN LISTS FILES)
    get_filename_component(name ${file} NAME)
    get_filename_component(extension ${file} LAST_EXT)
    string(SUBSTRING ${extension} 1 -1 extension)
    file(SHA256 ${file} hash)
    string(SUBSTRING ${hash} 0 16 hash)
    set(url "/${name}")
    if(name STREQUAL "index.html")
        set(url "/")
    endif()
    set(symbol "asset_${count}")
    string(APPEND data
        "__asm__(\".section .rodata\\n.global ${symbol}_start\\n${symbol}_start:\\n.incbin \\\"${file}\\\"\\n\"\n"
        "        \".global ${symbol}_end\\n${symbol}_end:\\n.byte 0\\n.previous\\n\");\n"
        "extern const unsigned char ${symbol}_start[], ${symbol}_end[];\n")
    string(APPEND rows
        "    {\"${url}\", \"${types_${extension}}\", \"\\\"${hash}\\\"\", ${symbol}_start, ${symbol}_end},\n")
    math(EXPR count "${count} + 1")
endforeach()
file(WRITE ${OUTPUT}
    "/* Written by cmake/embed.cmake. */\n#include \"web/assets.h\"\n\n${data}\n"
    "const struct asset assets[] = {\n${rows}};\nconst size_t asset_count = ${count};\n")
