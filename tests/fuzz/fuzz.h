/*
 * What a fuzz target defines. libFuzzer or standalone.c calls it with bytes
 * that end exactly where the memory ends, so that a sanitizer sees any read
 * past them. It returns 0, and may do anything but crash, hang, or leak.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
