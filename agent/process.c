/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/process.h"
#include "agent/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { PROC_BYTES = 32768, NAME = 64, SCRIPT = 96 };

/* ---- names ---- */

static const struct interpreter {
    const char *names;   /* version digits after one are ignored */
    const char *valued;  /* options that take the next argument */
    const char *named;   /* options whose next argument is what runs */
    const char *inlined; /* options that give a program's text: it has no name */
    const char *verbs;   /* words before what runs */
} interpreters[] = {
    {"python pypy", "-W -X --check-hash-based-pycs", "-m", "-c", ""},
    {"node nodejs bun", "-r --require --import --loader --experimental-loader -C --conditions --env-file", "",
     "-e --eval -p --print -pe", "run"},
    {"deno", "-c --config --import-map --lock", "", "eval", "run serve"},
    {"java", "-cp -classpath --class-path -p --module-path --add-opens --add-exports --add-modules --add-reads",
     "-jar -m --module", "", ""},
    {"dotnet", "--fx-version --depsfile --runtimeconfig --additionalprobingpath --roll-forward", "", "", "exec"},
    {"ruby jruby", "-I -r -C -E", "", "-e", ""},
    {"perl", "-I", "", "-e -E", ""},
    {"php", "-c -d -t -S -z", "-f -F", "-r -R -B", ""},
    {"lua luajit", "-l", "", "-e", ""},
    {"Rscript", "", "", "-e", ""},
    {"bash sh dash zsh ksh ash", "-o +o -O +O --rcfile --init-file", "", "-c -lc -ec -ic", ""},
    {"busybox toybox", "", "", "", ""},
};

static const struct interpreter *interpreter_of(const char *path) {
    char name[NAME];
    text_copy(name, sizeof name, text_base(path));
    size_t length = strlen(name);
    while (length > 0 && strchr("0123456789.", name[length - 1]))
        name[--length] = '\0';
    for (size_t i = 0; i < COUNT(interpreters); i++)
        if (text_listed(interpreters[i].names, name))
            return &interpreters[i];
    return NULL;
}

/* One file of many programs: only when called by its own name does its first argument say which. */
static bool is_another_name(const struct interpreter *interpreter, const char *path) {
    return strcmp(interpreter->names, "busybox toybox") == 0 && interpreter_of(path) != interpreter;
}

/* The argument after `at`, or NULL. The text ends with a zero byte of its own. */
static const char *next_argument(const char *at, const char *end) {
    at += strlen(at) + 1;
    return at < end ? at : NULL;
}

static const char *program_run(const struct interpreter *interpreter, const char *arguments, const char *end) {
    const char *at = arguments < end ? next_argument(arguments, end) : NULL;
    for (; at; at = next_argument(at, end)) {
        if (text_listed(interpreter->inlined, at))
            return NULL;
        if (text_listed(interpreter->named, at))
            return next_argument(at, end);
        if (text_listed(interpreter->valued, at))
            at = next_argument(at, end);
        else if (strcmp(at, "--") == 0)
            return next_argument(at, end);
        else if (at[0] != '-' && at[0] != '\0' && !text_listed(interpreter->verbs, at))
            return at;
        if (!at)
            return NULL;
    }
    return NULL;
}

/* `/srv/shop/__main__.py` is `shop`; everything else its last component. */
static void name_script(const char *script, char *ret_name) {
    const char *base = text_base(script);
    if (strcmp(base, "__main__.py") == 0 && base - script > 1) {
        const char *end = base - 1, *start = end;
        while (start > script && start[-1] != '/')
            start--;
        snprintf(ret_name, NAME, "%.*s", (int)(end - start), start);
    } else if (base[0]) {
        text_copy(ret_name, NAME, base);
    }
}

/* A title that a program wrote over its arguments begins with a word: "gunicorn: master [shop]", "puma 6.0 (...)". */
static bool title_word(const char *title, char *ret_word) {
    const size_t length = strspn(title, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    if (length == 0 || length >= NAME || (title[length] != ':' && title[length] != ' '))
        return false;
    snprintf(ret_word, NAME, "%.*s", (int)length, title);
    return interpreter_of(ret_word) == NULL;
}

static bool same_name(const char *path, const char *other) {
    return strcmp(text_base(path), text_base(other)) == 0;
}

/* Descriptors and memory files have names that say nothing. */
static bool is_path(const char *filename) {
    return filename[0] && strncmp(filename, "/proc/", 6) != 0 && strncmp(filename, "/dev/fd/", 8) != 0 &&
           strncmp(filename, "/memfd:", 7) != 0;
}

static bool runs(const struct process_words *words, const char *path) {
    return same_name(path, words->executable) || (words->runs && words->runs(words->context, path));
}

/* argv[0] as it stands, then without what a title adds ("redis-server 127.0.0.1:6379"). */
static bool called_by_argument(const struct process_words *words, char *ret_called, size_t size) {
    if (words->length == 0)
        return false;
    const char *argument = words->arguments + (words->arguments[0] == '-'); /* a login shell */
    text_copy(ret_called, size, argument);
    if (ret_called[0] && runs(words, ret_called))
        return true;
    ret_called[strcspn(ret_called, ": ")] = '\0';
    return ret_called[0] && runs(words, ret_called);
}

/* The path or name under which it was started, if that is what it runs. */
static void called(const struct process_words *words, char *ret_called, size_t size) {
    const bool gone = !words->executable[0];
    text_copy(ret_called, size, words->filename);
    if (is_path(ret_called) && (gone || runs(words, ret_called)))
        return;
    if (!gone && called_by_argument(words, ret_called, size))
        return;
    text_copy(ret_called, size, words->executable);
}

void process_name(const struct process_words *words, char ret_name[static 64], char ret_script[static 96]) {
    char path[256];
    ret_name[0] = ret_script[0] = '\0';
    called(words, path, sizeof path);
    const char *first = words->length ? words->arguments : "";
    const struct interpreter *interpreter = interpreter_of(path);
    if (!interpreter && words->executable[0])
        interpreter = interpreter_of(words->executable);
    else if (!interpreter) /* gone: a script's exec has the script's name, and its interpreter's in argv[0] */
        interpreter = interpreter_of(first);
    text_copy(ret_name, NAME, text_base(path));
    if (!interpreter || is_another_name(interpreter, path))
        return;
    const char *script = program_run(interpreter, words->arguments, words->arguments + words->length);
    if (script && text_base(script)[0]) {
        text_copy(ret_script, SCRIPT, script);
        name_script(script, ret_name);
    } else if (!interpreter_of(first)) {
        char word[NAME];
        if (title_word(first, word))
            text_copy(ret_name, NAME, word);
    }
}

/* ---- /proc ---- */

/* Reads what fits and ends it with a zero byte. */
static int read_proc(uint32_t pid, const char *file, char *into, size_t size, size_t *ret_length) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/%s", pid, file);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t length = 0;
    ssize_t got = 1;
    while (got > 0 && length + 1 < size) {
        got = read(fd, into + length, size - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    const int error = got < 0 ? -errno : 0;
    close(fd);
    into[length] = '\0';
    *ret_length = length;
    return error;
}

/* The kernel's boot-time clock, in /proc to the tick: a pid used again is another process. */
bool process_runs(uint32_t pid, uint64_t start_time_ns) {
    char stat[1024];
    size_t length;
    if (read_proc(pid, "stat", stat, sizeof stat, &length) < 0)
        return false;
    if (start_time_ns == 0)
        return true;
    const char *at = strrchr(stat, ')'); /* comm may hold anything */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return false;
    const uint64_t ticks = strtoull(at + 1, NULL, 10);
    const uint64_t expected = start_time_ns / (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
    return ticks <= expected + 1 && expected <= ticks + 1;
}

static int open_in(uint32_t pid, const char *where, const char *path, int flags) {
    char folder[64];
    snprintf(folder, sizeof folder, "/proc/%u/%s", pid, where);
    const int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -errno;
    const bool inside = strcmp(where, "root") == 0;
    struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC, .resolve = inside ? RESOLVE_IN_ROOT : 0};
    const long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
    const int error = -errno;
    close(root);
    return fd < 0 ? error : (int)fd;
}

int process_open(uint32_t pid, const char *path, int flags) {
    return open_in(pid, "root", path, flags);
}

struct reading {
    uint32_t pid;
    struct process_facts *facts;
    const char *search; /* the process's PATH */
};

static bool is_that_file(const struct reading *reading, const char *where, const char *path) {
    struct stat found;
    const int fd = open_in(reading->pid, where, path, O_PATH);
    if (fd < 0)
        return false;
    const bool same = fstat(fd, &found) == 0 && found.st_ino == reading->facts->inode &&
                      (uint64_t)found.st_dev == reading->facts->device;
    close(fd);
    return same;
}

static bool is_in(const struct reading *reading, const char *folder, size_t length, const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%.*s/%s", (int)length, folder, name);
    return is_that_file(reading, "root", path);
}

/* As a shell would find it; a folder left since then is made up for by the executable's own. */
static bool finds_itself(void *context, const char *path) {
    const struct reading *reading = context;
    const char *executable = reading->facts->executable;
    if (reading->facts->inode == 0 || !path[0])
        return false;
    if (path[0] == '/')
        return is_that_file(reading, "root", path);
    if (strchr(path, '/') && is_that_file(reading, "cwd", path))
        return true;
    if (is_in(reading, executable, (size_t)(text_base(executable) - executable), text_base(path)))
        return true;
    if (strchr(path, '/'))
        return false;
    for (const char *at = reading->search; *at; at += *at == ':') {
        const size_t length = strcspn(at, ":");
        if (length && is_in(reading, at, length, path))
            return true;
        at += length;
    }
    return false;
}

static void read_executable(uint32_t pid, struct process_facts *facts) {
    char link[64];
    struct stat file;
    snprintf(link, sizeof link, "/proc/%u/exe", pid);
    const ssize_t length = readlink(link, facts->executable, sizeof facts->executable - 1);
    if (length <= 0)
        return; /* a kernel thread, or gone */
    facts->executable[length] = '\0';
    char *deleted = strstr(facts->executable, " (deleted)");
    if (deleted && deleted[strlen(" (deleted)")] == '\0')
        *deleted = '\0';
    if (stat(link, &file) == 0) {
        facts->device = file.st_dev;
        facts->inode = file.st_ino;
        facts->changed_ns = (uint64_t)file.st_mtim.tv_sec * 1000000000u + (uint64_t)file.st_mtim.tv_nsec;
    }
}

static const char *variable(const char *environment, size_t length, const char *name) {
    const size_t size = strlen(name);
    for (const char *at = environment; at && length > 0; at = next_argument(at, environment + length))
        if (strncmp(at, name, size) == 0)
            return at + size;
    return NULL;
}

/* One line on v2, one a hierarchy on v1 and hybrid: the line that says most. */
static void read_cgroup(uint32_t pid, char *buffer, struct process_facts *facts) {
    size_t length;
    if (read_proc(pid, "cgroup", buffer, PROC_BYTES, &length) < 0)
        return;
    char *rest = buffer;
    for (char *line; (line = strsep(&rest, "\n"));) {
        struct cgroup_name name;
        cgroup_name_parse(line, &name);
        const bool better = name.container_id[0] && !facts->cgroup.container_id[0];
        const char *path = strchr(line, '/');
        if (facts->cgroup.kind != WORKLOAD_PROCESS && !better)
            continue;
        if (name.kind == WORKLOAD_PROCESS && facts->cgroup_path[0] && strcmp(facts->cgroup_path, "/") != 0)
            continue;
        facts->cgroup = name;
        text_copy(facts->cgroup_path, sizeof facts->cgroup_path, path);
    }
}

static const struct process_exec no_exec;

/* Whether a title stands where the arguments of the exec were; or there are none. */
static bool written_over(const struct process_exec *exec, const char *arguments, size_t length) {
    const size_t both = exec->length < length ? exec->length : length;
    return length == 0 || memcmp(exec->arguments, arguments, both) != 0;
}

bool process_read(uint32_t pid, uint64_t start_time_ns, const struct process_exec *exec,
                  struct process_facts *ret_facts) {
    char buffer[PROC_BYTES], environment[PROC_BYTES];
    size_t length = 0, environment_length = 0;
    *ret_facts = (struct process_facts){0};
    exec = exec ? exec : &no_exec;
    const bool here = process_runs(pid, start_time_ns);
    struct reading reading = {pid, ret_facts, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
    struct process_words words = {"", exec->filename, exec->arguments, exec->length, finds_itself, &reading};
    if (here) {
        read_executable(pid, ret_facts);
        if (read_proc(pid, "environ", environment, sizeof environment, &environment_length) < 0)
            environment_length = 0;
        const char *service = variable(environment, environment_length, "OTEL_SERVICE_NAME=");
        const char *search = variable(environment, environment_length, "PATH=");
        text_copy(ret_facts->service_name, sizeof ret_facts->service_name, service);
        reading.search = search ? search : reading.search;
        read_cgroup(pid, buffer, ret_facts);
        if (read_proc(pid, "cmdline", buffer, sizeof buffer, &length) == 0 && !written_over(exec, buffer, length))
            words.arguments = buffer, words.length = length;
    }
    words.executable = ret_facts->executable;
    process_name(&words, ret_facts->name, ret_facts->script);
    if (!ret_facts->executable[0])
        text_copy(ret_facts->executable, sizeof ret_facts->executable, exec->filename);
    return here;
}
