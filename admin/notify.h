/*
 * Tells the service manager how we are (sd_notify(3)'s protocol: a datagram
 * to $NOTIFY_SOCKET). Without that variable nothing happens.
 */
#ifndef ADMIN_NOTIFY_H
#define ADMIN_NOTIFY_H

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);

#endif
