/*
 * An open hash table from byte keys to pointers, keyed hashing inside, so
 * that remote input cannot make it slow. Owns copies of its keys, never the
 * values. Grows and shrinks itself. One loop, no locking.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/span.h"

struct map;

struct map *map_new(void);
void map_free(struct map **m);		/* values are the caller's to free */
size_t map_count(const struct map *m);
void *map_get(const struct map *m, struct span key);
/* Sets key to value (not NULL); returns the value it replaced or NULL. */
void *map_put(struct map *m, struct span key, void *value);
/* Removes key; returns its value or NULL. */
void *map_del(struct map *m, struct span key);
/* Walks all entries in no particular order: start with *pos = 0, until false.
 * The entry just returned may be deleted in between. After other changes the
 * walk can go on, but may miss entries or return some again. */
bool map_next(const struct map *m, size_t *pos, struct span *key,
    void **value);

void *map_get_u64(const struct map *m, uint64_t key);
void *map_put_u64(struct map *m, uint64_t key, void *value);
void *map_del_u64(struct map *m, uint64_t key);

#endif
