/*
 * Tells the service manager how we are (sd_notify(3)'s protocol: a datagram
 * to $NOTIFY_SOCKET). Without that variable nothing happens.
 */
#ifndef ADMIN_NOTIFY_H
#define ADMIN_NOTIFY_H

#include <stdint.h>

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
/* Still alive; to be said every notify_watchdog_ms(). */
void notify_watchdog(void);

/* Half of the time after which a silent process is killed, so that one late
 * turn does no harm; 0: nobody watches us. */
uint64_t notify_watchdog_ms(void);

#endif
