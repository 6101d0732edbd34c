/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* System call number and arguments of the current task, by architecture. */
#ifndef WEFT_BPF_SOCK_REGISTERS_H
#define WEFT_BPF_SOCK_REGISTERS_H

#if defined(__TARGET_ARCH_x86)
#define SYSCALL_NUMBER(regs) ((regs)->orig_ax)
#define SYSCALL_ARGUMENT_1(regs) ((regs)->di)
#define SYSCALL_ARGUMENT_2(regs) ((void *)(regs)->si)
#define SYSCALL_ARGUMENT_3(regs) ((regs)->dx)
enum {
    CALL_READ = 0,
    CALL_WRITE = 1,
    CALL_READV = 19,
    CALL_WRITEV = 20,
    CALL_SENDTO = 44,
    CALL_RECVFROM = 45,
    CALL_SENDMSG = 46,
    CALL_RECVMSG = 47,
    CALL_RECVMMSG = 299,
    CALL_SENDMMSG = 307,
};
/* TS_COMPAT of arch/x86/include/asm/thread_info.h: the call came through a 32-bit entry. */
#define TASK_IS_32BIT(task) ((task)->thread_info.status & 2)
#elif defined(__TARGET_ARCH_arm64)
#define SYSCALL_NUMBER(regs) ((regs)->syscallno)
#define SYSCALL_ARGUMENT_1(regs) ((regs)->orig_x0)
#define SYSCALL_ARGUMENT_2(regs) ((void *)(regs)->regs[1])
#define SYSCALL_ARGUMENT_3(regs) ((regs)->regs[2])
enum {
    CALL_READ = 63,
    CALL_WRITE = 64,
    CALL_READV = 65,
    CALL_WRITEV = 66,
    CALL_SENDTO = 206,
    CALL_RECVFROM = 207,
    CALL_SENDMSG = 211,
    CALL_RECVMSG = 212,
    CALL_RECVMMSG = 243,
    CALL_SENDMMSG = 269,
};
/* TIF_32BIT of arch/arm64/include/asm/thread_info.h. */
#define TASK_IS_32BIT(task) ((task)->thread_info.flags & (1UL << 22))
#endif

#endif
