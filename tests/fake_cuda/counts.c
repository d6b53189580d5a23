/* What was launched, by which name, and what was wrong; read from Python through the functions named fake_. */
#define _GNU_SOURCE
#include "fake.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAMES = 8192, KERNEL = 'K', LIBRARY = 'L', VIOLATION = 'V' };

typedef struct Named {
    char kind;
    char *name;
    long eager, captured;
} Named;

Counters counted;
static Named named[MAX_NAMES]; /* a hash table with open addressing */
static pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

void lock(void) { pthread_mutex_lock(&mutex); }
void unlock(void) { pthread_mutex_unlock(&mutex); }

static Named *entry(char kind, const char *name) {
    size_t place = kind;
    for (const char *c = name; *c; c++) place = place * 31 + (unsigned char)*c;
    for (size_t tried = 0; tried < MAX_NAMES; tried++, place++) {
        Named *found = &named[place % MAX_NAMES];
        if (!found->name) *found = (Named){kind, strdup(name), 0, 0};
        if (found->kind == kind && !strcmp(found->name, name)) return found;
    }
    abort();
}

int launched(const char *name, void *handle, int is_kernel) {
    Stream *stream = stream_of(handle);
    lock();
    Named *found = entry(is_kernel ? KERNEL : LIBRARY, name);
    int captured = stream->capture != NULL;
    if (captured) stream->capture->nodes++;
    *(captured ? &found->captured : &found->eager) += 1;
    if (is_kernel) *(captured ? &counted.kernels_captured : &counted.kernels) += 1;
    else *(captured ? &counted.library_calls_captured : &counted.library_calls) += 1;
    unlock();
    return captured;
}

void violation(const char *format, ...) {
    char text[256];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    lock();
    entry(VIOLATION, text)->eager++;
    unlock();
}

static const char *failing = "";
static int failure;
static long failures_left;

/* Lets the next `times` calls whose name contains `call` end with `status`. */
void fake_fail(const char *call, int status, long times) {
    lock();
    failing = strdup(call);
    failure = status;
    failures_left = times;
    unlock();
}

int planned_failure(const char *call) {
    lock();
    int fails = failures_left > 0 && strstr(call, failing) != NULL;
    failures_left -= fails;
    unlock();
    return fails ? failure : 0;
}

const char *fake_counter_names(void) {
#define X(name) #name " "
    return COUNTERS(X);
#undef X
}

void fake_counters(Counters *copy) {
    lock();
    *copy = counted;
    unlock();
}

/* Sets all counts to 0, but for the number of graphs that exist. */
void fake_reset(void) {
    lock();
    long graphs = counted.graphs;
    memset(&counted, 0, sizeof counted);
    counted.graphs = graphs;
    for (int i = 0; i < MAX_NAMES; i++) named[i].eager = named[i].captured = 0;
    unlock();
}

/* Returns a line for each name with its kind, eager and captured calls, separated by tabs; the caller frees it. */
char *fake_names(void) {
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    lock();
    for (int i = 0; i < MAX_NAMES; i++) {
        Named *each = &named[i];
        if (each->eager || each->captured)
            fprintf(file, "%c\t%ld\t%ld\t%s\n", each->kind, each->eager, each->captured, each->name);
    }
    unlock();
    fclose(file);
    return text;
}

int fake_missing(const char *name) {
    violation("%s is not imitated", name);
    return 0;
}
