/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs are made of, found out in the background: ELF files and the libraries that are mapped.
 *
 * programs_look queues a process, and the thread tells its workload (workload_learn) some milliseconds later; what an
 * ELF file says is kept by device, inode and time of change, so that a file is read once. A process without a TLS
 * library is looked at once more after PROGRAMS_AGAIN_S, since interpreters load theirs late. The queue is bounded;
 * what finds it full is counted and simply stays unknown. Any thread.
 */
#ifndef WEFT_AGENT_PROGRAMS_H
#define WEFT_AGENT_PROGRAMS_H

#include "agent/process.h"

enum { PROGRAMS_AGAIN_S = 5 };

struct programs;
int programs_new(struct programs **ret_programs);
void programs_free(struct programs *programs); /* before the workloads are freed */
/* `workload` must live until programs_free. */
void programs_look(struct programs *programs, struct workload *workload, uint32_t pid, uint64_t start_time_ns,
                   const struct process_facts *facts);
void programs_wait(struct programs *programs); /* until all that was queued is done; for tests */
uint64_t programs_refused(struct programs *programs);

#endif
