/*
 * log.h
 *		Writes one line of JSON to stderr for each event.
 */
#ifndef VSM_GATEWAY_LOG_H
#define VSM_GATEWAY_LOG_H

typedef enum LogLevel
{
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR
} LogLevel;

extern void vsm_log_set_level(LogLevel least);
extern void vsm_log_hold(void);
extern void vsm_log_release(void);

/* fields: a printf() format of additional members, such as "\"n\":%d"; or NULL. */
extern void vsm_log(LogLevel level, const char *event, const char *fields, ...) __attribute__((format(printf, 3, 4)));

/* The same with one additional member, an untrusted string. */
extern void vsm_log_text(LogLevel level, const char *event, const char *name, const char *value);

#endif
