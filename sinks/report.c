/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

void report_process(struct agent_report *report) {
    unsigned long long pages = 0;
    struct timespec cpu;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm) {
        if (fscanf(statm, "%*u %llu", &pages) != 1)
            pages = 0;
        fclose(statm);
    }
    report->resident_bytes = pages * sysconf(_SC_PAGESIZE);
    if (!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu))
        report->cpu_ns = (uint64_t)cpu.tv_sec * 1000000000 + cpu.tv_nsec;
}
