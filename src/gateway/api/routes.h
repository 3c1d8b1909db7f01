/*
 * routes.h
 *		The table of routes, which is the only description of each endpoint.
 *
 * Validation, SQL, Allow headers, OpenAPI and the labels of the metrics are all derived from it.
 */
#ifndef VSM_GATEWAY_ROUTES_H
#define VSM_GATEWAY_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/statement.h"
#include "options.h"

#define MAX_SEGMENTS 8
#define MAX_METHODS 8

typedef enum Where
{
	IN_PATH,
	IN_QUERY,
	IN_BODY
} Where;

/* The values that a parameter accepts, which also determine its SQL type. */
typedef enum Kind
{
	KIND_ID,					/* bigint; a number beyond that is not found */
	KIND_INTEGER,				/* least to most; integer, or bigint if most needs it */
	KIND_STRING,				/* least to most characters; most 0: any number */
	KIND_TYPE,					/* a type of work item; only the database knows which exist */
	KIND_TIME,					/* date, or date and time as in RFC 3339; UTC if it has no zone */
	KIND_INSTANT,				/* as KIND_TIME, but a bare date is midnight in the zone of the stream */
	KIND_DATE,
	KIND_OBJECT,				/* a JSON object; jsonb */
	KIND_LIST,					/* a JSON array of objects; jsonb */
	KIND_PERCENTILES,			/* "50,85,95" */
	KIND_SHARE,					/* a number above 0 and below 1; double precision */
	KIND_BOOLEAN,
	KIND_FLAG,					/* as KIND_BOOLEAN; without a value it is true */
	KIND_STEP,					/* "6 hours", "1 day", "2 weeks", "month" */
	KIND_CHOICE					/* one of choices, separated by | */
} Kind;

typedef struct Param
{
	const char *name;
	Where		where;
	Kind		kind;
	bool		required;
	bool		here;			/* for the gateway itself: no parameter of the function; after those that are */
	int64_t		least;
	int64_t		most;
	const char *sql;			/* type of the function's parameter; NULL: that of the kind */
	const char *example;		/* of an object, for errors; NULL: of attributes */
	const char *choices;
	const char *fallback;		/* the database's default, for the documentation; or NULL */
	const char *about;
} Param;

/* What answers a request. */
typedef enum Handling
{
	HANDLE_CALL,				/* the function's JSON is the answer */
	HANDLE_IMPORT,
	HANDLE_HEALTH,
	HANDLE_READY,
	HANDLE_LIVE,
	HANDLE_ROOT,
	HANDLE_METRICS,
	HANDLE_OPENAPI,
	HANDLE_DOCS,
	HANDLE_ASSET
} Handling;

typedef struct Route
{
	const char *method;
	const char *path;
	Handling	handling;
	Class		class;
	bool		writes;
	bool		defines;		/* streams, stages, types and what belongs to them: needs level admin */
	bool		lenient;		/* ignores unknown parameters and keys: endpoints of the old service, /live, files */
	int			status;			/* of success; 0 is 200 */
	const char *function;		/* in schema vsm_api */
	const char *answer;			/* schema of the body in schemas.json; with [] after it: an array */
	const char *name;			/* OpenAPI's operationId */
	const char *summary;
	Param		params[MAX_PARAMS + 1];
} Route;

extern const Route vsm_routes[];
extern const int vsm_route_count;

/* Statements that the gateway needs besides those of the routes. */
typedef enum FixedStatement
{
	STATEMENT_TYPES,
	STATEMENT_HEALTH,
	STATEMENT_READY,			/* whether the server takes writes; then as STATEMENT_HEALTH */
	STATEMENT_IMPORT_SETTINGS,	/* $1: stream, $2: time zone */
	STATEMENT_IMPORT_REHEARSE,	/* $1: stream, $2: stages, $3: types */
	N_FIXED_STATEMENTS
} FixedStatement;

extern void vsm_routes_start(void);
extern const Statement *vsm_statement_of(const Route *route);
extern const Statement *vsm_statement_fixed(FixedStatement which);

/* A segment of a request's path, still percent-encoded. */
typedef struct Segment
{
	const char *bytes;
	size_t		length;
} Segment;

typedef struct Match
{
	const Route *route;			/* NULL: no such path, or no such method for it */
	const Route *path;			/* any route with this path; NULL: there is none */
	Segment		wildcards[MAX_SEGMENTS];	/* the segments that match {name}, in order */
} Match;

extern Match vsm_route_match(const char *method, const char *path, size_t length);
extern void vsm_route_allow(const Route *path, char *allow, size_t size);
extern bool vsm_param_is_bigint(const Param *param);
extern bool vsm_route_has(const Route *route, Where where);
extern bool vsm_route_needs_body(const Route *route);

#endif
