/*
 * routes.c
 *		The table of routes, and the search for the route of a request.
 *
 * A new endpoint needs a function in schema vsm_api, a row in this table, and the schema of its
 * answer in schemas.json.
 */
#include "routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "text.h"

/* clang-format would spread the table over more lines. */
/* clang-format off */

/* Parameters that several routes have. */
#define ITEM_ID {"work_item_id", IN_PATH, KIND_ID, .required = true, .about = "The work item's id"}
#define STREAM {"stream", IN_QUERY, KIND_STRING, .fallback = "default", .about = "Name of the value stream"}
#define ANY_STREAM {"stream", IN_QUERY, KIND_STRING, .about = "Name of the value stream; all streams by default"}
#define TYPE {"type", IN_QUERY, KIND_STRING, .about = "Only work items of this type"}
#define SINCE {"since", IN_QUERY, KIND_INSTANT, .about = "Start of the window, a date of the stream's time zone or a time; by default 30 days before its end"}
#define UNTIL {"until", IN_QUERY, KIND_INSTANT, .about = "End of the window, as since; now by default"}
#define RULE {"reopen_rule", IN_QUERY, KIND_CHOICE, .choices = "span_first_last|span_last|sum_active|sum_started|episodes", .about = "How the cycle time of a reopened work item counts; by default the rule of the stream"}
#define ATTRIBUTES {"attributes", IN_QUERY, KIND_OBJECT, .about = "Only work items with these attributes, a JSON object"}
#define KNOWN_AT {"known_at", IN_QUERY, KIND_INSTANT, .about = "The answer as it was known at this time"}
#define PERCENTILES {"percentiles", IN_QUERY, KIND_PERCENTILES, .about = "Further percentiles, in percent, such as 50,85,95"}
#define STEP {"step", IN_QUERY, KIND_STEP, .fallback = "1 day", .about = "Interval between points, such as 6 hours, 1 day, 2 weeks or 1 month"}
#define HISTORY_DAYS {"history_days", IN_QUERY, KIND_INTEGER, .least = 5, .most = 3653, .fallback = "90", .about = "Days of past throughput to sample from"}
#define SEED {"seed", IN_QUERY, KIND_INTEGER, .least = INT64_MIN, .most = INT64_MAX, .about = "Seed of the random numbers; the same seed gives the same forecast"}
#define WORKING_DAYS {"working_days", IN_QUERY, KIND_STRING, .about = "Days of the week that are worked on, from 1 (Monday) to 7, such as 1,2,3,4,5; all by default. The others are drawn from past days off"}
#define EXCLUDE_OUTLIERS {"exclude_outliers", IN_QUERY, KIND_BOOLEAN, .about = "Whether to leave out days that finished more than the upper natural limit; false by default"}
#define AS_OF {"at", IN_QUERY, KIND_INSTANT, .about = "As of this time, a date of the stream's time zone or a time; now by default"}
#define BUCKET_OR_WINDOW {"step", IN_QUERY, KIND_CHOICE, .choices = "day|week|month", .about = "Length of each bucket; by default the window is one"}
#define BUCKET {"step", IN_QUERY, KIND_CHOICE, .choices = "day|week|month", .fallback = "day", .about = "Length of each bucket"}
#define WHICH "first_entry|last_entry|first_exit|last_exit"
#define LIMIT(n, to) {"limit", IN_QUERY, KIND_INTEGER, .least = 1, .most = (to), .fallback = (n), .about = "Maximum number of items to return"}

#define CATEGORY {"category", IN_BODY, KIND_CHOICE, .choices = "wait|active|done|discarded", .fallback = "active", .about = "Whether work items in the stage wait, are worked on, are delivered or are abandoned"}
#define WIP_LIMIT {"wip_limit", IN_BODY, KIND_INTEGER, .least = 1, .most = INT32_MAX, .about = "Work items that the stage may hold; any number by default"}
#define STAGE_TYPE {"type", IN_BODY, KIND_STRING, .about = "A text of your own; by default the name in lower case"}
#define DESCRIPTION {"description", IN_BODY, KIND_STRING, .about = "What the stage is for"}
#define STAGES {"stages", IN_BODY, KIND_LIST, .about = "The stages in order; those of a stream that are left out are deleted, or retired if work items have been in them. A new stream has six stages by default"}
#define TIME_ZONE {"time_zone", IN_BODY, KIND_STRING, .about = "Time zone in which days begin, such as Europe/Berlin; UTC by default"}
#define COMMITMENT_STAGE {"commitment_stage", IN_BODY, KIND_STRING, .about = "Where work counts as started; an empty text: at the first active stage"}
#define STREAM_RULE {"reopen_rule", IN_BODY, KIND_CHOICE, .choices = "span_first_last|span_last|sum_active|sum_started|episodes", .about = "How the cycle time of a reopened work item counts; span_first_last by default"}

const Route vsm_routes[] = {
	{"GET", "/", HANDLE_ROOT, .lenient = true, .answer = "Service", .name = "service",
	 .summary = "Description of the service and its endpoints; for browsers, the dashboard"},
	{"GET", "/api/v1/health", HANDLE_HEALTH, .lenient = true, .answer = "Health", .name = "health",
	 .summary = "Whether the service and its database work"},
	{"GET", "/ready", HANDLE_READY, .lenient = true, .answer = "Ready", .name = "ready",
	 .summary = "Whether the service is ready for requests",
	 .params = {{"write", IN_QUERY, KIND_FLAG, .about = "Whether it is ready only if the database takes writes, so is no standby and not read-only"}}},
	{"GET", "/live", HANDLE_LIVE, .lenient = true, .answer = "Live", .name = "live",
	 .summary = "Whether the process is alive"},
	{"GET", "/metrics", HANDLE_METRICS, CLASS_SLOW, .lenient = true, .function = "prometheus", .name = "prometheus",
	 .summary = "Metrics for Prometheus, in text format 0.0.4 or, if the client accepts it, OpenMetrics"},
	{"GET", "/openapi.json", HANDLE_OPENAPI, .lenient = true, .answer = "Object", .name = "openapi",
	 .summary = "This document"},
	{"GET", "/docs", HANDLE_DOCS, .lenient = true, .name = "docs",
	 .summary = "This document as a web page"},
	{"GET", "/redoc", HANDLE_DOCS, .lenient = true, .name = "redoc",
	 .summary = "The same page, where the old service had another one"},
	{"GET", "/docs/{file}", HANDLE_ASSET, .lenient = true, .name = "docs_file",
	 .summary = "A file of the documentation page",
	 .params = {{"file", IN_PATH, KIND_STRING, .required = true, .about = "Name of the file"}}},
	{"GET", "/assets/{file}", HANDLE_ASSET, .lenient = true, .name = "asset",
	 .summary = "A file of the dashboard",
	 .params = {{"file", IN_PATH, KIND_STRING, .required = true, .about = "Name of the file"}}},

	{"POST", "/api/v1/work-items", HANDLE_CALL, .lenient = true, .writes = true, .status = 201,
	 .function = "create_work_item", .answer = "CreatedWorkItem", .name = "create_work_item",
	 .summary = "Create a work item in the first stage of its stream",
	 .params = {{"title", IN_BODY, KIND_STRING, .required = true, .least = 1, .most = 500, .about = "Title of the work item"},
				{"type", IN_BODY, KIND_TYPE, .required = true, .about = "Type of the work item; must be defined"},
				{"stream", IN_BODY, KIND_STRING, .fallback = "default", .about = "Name of the value stream"},
				{"external_id", IN_BODY, KIND_STRING, .about = "Id of the work item in another system, unique in the stream"},
				{"at", IN_BODY, KIND_TIME, .about = "Time at which it was created; now by default"},
				{"attributes", IN_BODY, KIND_OBJECT, .about = "Your own fields, a JSON object"}}},
	{"GET", "/api/v1/work-items", HANDLE_CALL,
	 .function = "work_items", .answer = "WorkItems", .name = "work_items",
	 .summary = "Work items, ordered by id, in pages; pass next as after to get the next page",
	 .params = {ANY_STREAM,
				{"stage", IN_QUERY, KIND_STRING, .about = "Only work items in this stage"},
				TYPE,
				{"open", IN_QUERY, KIND_BOOLEAN, .about = "Only work items in progress (true), or only finished and discarded ones (false)"},
				LIMIT("50", 500),
				{"after", IN_QUERY, KIND_ID, .about = "Only work items with a greater id"},
				ATTRIBUTES,
				{"external_id", IN_QUERY, KIND_STRING, .about = "Only the work item with this id in another system, of each stream"}}},
	{"GET", "/api/v1/work-items/{work_item_id}", HANDLE_CALL,
	 .function = "work_item", .answer = "WorkItem", .name = "work_item",
	 .summary = "A work item",
	 .params = {ITEM_ID}},
	{"DELETE", "/api/v1/work-items/{work_item_id}", HANDLE_CALL, .writes = true,
	 .function = "delete_work_item", .answer = "WorkItem", .name = "delete_work_item",
	 .summary = "Delete a work item with its history; returns the item as it was",
	 .params = {ITEM_ID}},
	{"PUT", "/api/v1/work-items/{work_item_id}/transition", HANDLE_CALL, .lenient = true, .writes = true,
	 .function = "transition", .answer = "Transition", .name = "transition",
	 .summary = "Move a work item to another stage of its stream",
	 .params = {ITEM_ID,
				{"to_stage", IN_BODY, KIND_STRING, .required = true, .about = "Name of the stage to enter"},
				{"at", IN_BODY, KIND_TIME, .about = "Time of the move; now by default"},
				{"reason", IN_BODY, KIND_STRING, .about = "Reason for the move, to be recorded with it"},
				{"expected_from", IN_BODY, KIND_STRING, .about = "Stage that the work item must be in; otherwise the answer is 409"}}},
	{"GET", "/api/v1/work-items/{work_item_id}/history", HANDLE_CALL, .lenient = true,
	 .function = "history", .answer = "History", .name = "history",
	 .summary = "The moves of a work item, oldest first",
	 .params = {ITEM_ID}},
	{"PUT", "/api/v1/work-items/{work_item_id}/block", HANDLE_CALL, .writes = true,
	 .function = "block", .answer = "Block", .name = "block",
	 .summary = "Record that a work item is blocked",
	 .params = {ITEM_ID,
				{"reason", IN_BODY, KIND_STRING, .required = true, .least = 1, .most = 500, .about = "What it waits for; blocked time is given by reason"},
				{"at", IN_BODY, KIND_TIME, .about = "Since when; now by default"}}},
	{"PUT", "/api/v1/work-items/{work_item_id}/unblock", HANDLE_CALL, .writes = true,
	 .function = "unblock", .answer = "Block", .name = "unblock",
	 .summary = "Record that a work item is no longer blocked",
	 .params = {ITEM_ID,
				{"at", IN_BODY, KIND_TIME, .about = "Since when; now by default"}}},
	{"GET", "/api/v1/work-items/{work_item_id}/blocks", HANDLE_CALL,
	 .function = "blocks", .answer = "Block[]", .name = "blocks",
	 .summary = "When a work item was blocked, and why, oldest first",
	 .params = {ITEM_ID}},

	{"GET", "/api/v1/stages", HANDLE_CALL, .lenient = true,
	 .function = "stages", .answer = "Stage[]", .name = "stages",
	 .summary = "The stages of a stream, in order",
	 .params = {STREAM}},
	{"POST", "/api/v1/stages", HANDLE_CALL, .writes = true, .defines = true, .status = 201,
	 .function = "add_stage", .answer = "Stage", .name = "add_stage",
	 .summary = "Add a stage to a stream",
	 .params = {{"name", IN_BODY, KIND_STRING, .required = true, .least = 1, .about = "Name of the stage, unique in its stream"},
				{"stream", IN_BODY, KIND_STRING, .fallback = "default", .about = "Name of the value stream"},
				CATEGORY, WIP_LIMIT, STAGE_TYPE, DESCRIPTION,
				{"order", IN_BODY, KIND_INTEGER, .least = 0, .most = 1000000, .about = "Place among the stages, from which the stage there and those after it move up; by default before the done and discarded stages, or for such a stage at the end"}}},
	{"PUT", "/api/v1/stages/{stage_id}", HANDLE_CALL, .writes = true, .defines = true,
	 .function = "change_stage", .answer = "Stage", .name = "change_stage",
	 .summary = "Define a stage anew; it keeps its id, its history and, unless order is given, its place",
	 .params = {{"stage_id", IN_PATH, KIND_ID, .required = true, .about = "The stage's id"},
				{"name", IN_BODY, KIND_STRING, .required = true, .least = 1, .about = "Name of the stage; another one renames it"},
				CATEGORY, WIP_LIMIT, STAGE_TYPE, DESCRIPTION,
				{"order", IN_BODY, KIND_INTEGER, .least = 0, .most = 1000000, .about = "Place among the stages; if another stage has it, that one and those after it move up"},
				{"retired", IN_BODY, KIND_BOOLEAN, .about = "Whether the stage takes no new entries; by default it does"}}},
	{"DELETE", "/api/v1/stages/{stage_id}", HANDLE_CALL, .writes = true, .defines = true,
	 .function = "delete_stage", .answer = "Stage", .name = "delete_stage",
	 .summary = "Delete a stage that no work item has been in; returns the stage as it was",
	 .params = {{"stage_id", IN_PATH, KIND_ID, .required = true, .about = "The stage's id"}}},
	{"GET", "/api/v1/types", HANDLE_CALL,
	 .function = "types", .answer = "Type[]", .name = "types",
	 .summary = "The types that a work item may have, in the order in which they were defined"},
	{"POST", "/api/v1/types", HANDLE_CALL, .writes = true, .defines = true, .status = 201,
	 .function = "add_type", .answer = "NewType", .name = "add_type",
	 .summary = "Add a type of work item",
	 .params = {{"name", IN_BODY, KIND_STRING, .required = true, .least = 1, .about = "Name of the type"}}},
	{"PUT", "/api/v1/types/{type}", HANDLE_CALL, .writes = true, .defines = true,
	 .function = "rename_type", .answer = "NewType", .name = "rename_type",
	 .summary = "Give a type of work item another name; its work items have it too",
	 .params = {{"type", IN_PATH, KIND_STRING, .required = true, .about = "Name of the type"},
				{"name", IN_BODY, KIND_STRING, .required = true, .least = 1, .about = "The other name"}}},
	{"DELETE", "/api/v1/types/{type}", HANDLE_CALL, .writes = true, .defines = true,
	 .function = "delete_type", .answer = "NewType", .name = "delete_type",
	 .summary = "Delete a type that no work item has",
	 .params = {{"type", IN_PATH, KIND_STRING, .required = true, .about = "Name of the type"}}},
	{"GET", "/api/v1/streams", HANDLE_CALL,
	 .function = "streams", .answer = "Stream[]", .name = "streams",
	 .summary = "The value streams"},
	{"POST", "/api/v1/streams", HANDLE_CALL, .writes = true, .defines = true, .status = 201,
	 .function = "add_stream", .answer = "Stream", .name = "add_stream",
	 .summary = "Define a new value stream",
	 .params = {{"name", IN_BODY, KIND_STRING, .required = true, .least = 1, .about = "Name of the value stream"},
				STAGES, TIME_ZONE, COMMITMENT_STAGE, STREAM_RULE}},
	{"PUT", "/api/v1/streams/{stream}", HANDLE_CALL, .writes = true, .defines = true,
	 .function = "define_stream", .answer = "Stream", .name = "define_stream",
	 .summary = "Define a value stream, or change what is given of one and keep its history",
	 .params = {{"stream", IN_PATH, KIND_STRING, .required = true, .about = "Name of the value stream"},
				{"name", IN_BODY, KIND_STRING, .least = 1, .about = "Another name for the stream"},
				STAGES, TIME_ZONE, COMMITMENT_STAGE, STREAM_RULE}},
	{"DELETE", "/api/v1/streams/{stream}", HANDLE_CALL, .writes = true, .defines = true,
	 .function = "delete_stream", .answer = "Stream", .name = "delete_stream",
	 .summary = "Delete a value stream that has no work items; returns the stream as it was",
	 .params = {{"stream", IN_PATH, KIND_STRING, .required = true, .about = "Name of the value stream"}}},
	{"GET", "/api/v1/sles", HANDLE_CALL,
	 .function = "sles", .answer = "Sle[]", .name = "sles",
	 .summary = "The service level expectations of a stream and of types in it, each from a day on",
	 .params = {STREAM}},
	{"PUT", "/api/v1/streams/{stream}/sle", HANDLE_CALL, .writes = true, .defines = true,
	 .function = "set_sle", .answer = "Sle", .name = "set_sle",
	 .summary = "Set the service level expectation of a stream, or of a type in it, from a day on",
	 .params = {{"stream", IN_PATH, KIND_STRING, .required = true, .about = "Name of the value stream"},
				{"elapsed", IN_BODY, KIND_STEP, .required = true, .about = "Cycle time that work items are expected not to exceed, such as 10 days; a month is 30 days"},
				{"probability", IN_BODY, KIND_SHARE, .required = true, .about = "Share of the work items that are expected to meet it, such as 0.85"},
				{"type", IN_BODY, KIND_STRING, .about = "Type of the work items that it is for; by default all that have none of their own"},
				{"since", IN_BODY, KIND_DATE, .about = "First day on which it holds; today by default"}}},
	{"DELETE", "/api/v1/streams/{stream}/sle", HANDLE_CALL, .writes = true, .defines = true,
	 .function = "delete_sle", .answer = "Sle", .name = "delete_sle",
	 .summary = "Take back a service level expectation; returns it as it was",
	 .params = {{"stream", IN_PATH, KIND_STRING, .required = true, .about = "Name of the value stream"},
				{"since", IN_QUERY, KIND_DATE, .required = true, .about = "The day from which it was set"},
				{"type", IN_QUERY, KIND_STRING, .about = "The type that it was set for"}}},
	{"GET", "/api/v1/wip", HANDLE_CALL,
	 .function = "wip", .answer = "Wip[]", .name = "wip",
	 .summary = "Current work in progress of each stage, with its limit",
	 .params = {ANY_STREAM}},

	{"GET", "/api/v1/metrics", HANDLE_CALL, CLASS_SLOW, .lenient = true,
	 .function = "metrics", .answer = "Metrics", .name = "metrics",
	 .summary = "All flow metrics of the last days",
	 .params = {{"days", IN_QUERY, KIND_INTEGER, .least = 1, .most = 90, .fallback = "7", .about = "Length of the window, in days"}, STREAM, TYPE,
				{"since", IN_QUERY, KIND_INSTANT, .about = "Start of the window, instead of days: a date of the stream's time zone, or a time"},
				UNTIL,
				{"exact", IN_QUERY, KIND_BOOLEAN, .about = "Whether percentiles are exact (true, the default) or estimated from a sketch (false)"},
				RULE, ATTRIBUTES, KNOWN_AT, PERCENTILES}},
	{"GET", "/api/v1/cumulative-flow", HANDLE_CALL, CLASS_SLOW,
	 .function = "cumulative_flow", .answer = "FlowSeries", .name = "cumulative_flow",
	 .summary = "Number of work items that have reached each stage, at each point in time",
	 .params = {STREAM, SINCE, UNTIL, STEP, TYPE, ATTRIBUTES, KNOWN_AT}},
	{"GET", "/api/v1/occupancy", HANDLE_CALL, CLASS_SLOW,
	 .function = "occupancy", .answer = "FlowSeries", .name = "occupancy",
	 .summary = "Number of work items in each stage, at each point in time",
	 .params = {STREAM, SINCE, UNTIL, STEP, TYPE, ATTRIBUTES, KNOWN_AT}},
	{"GET", "/api/v1/throughput", HANDLE_CALL, CLASS_SLOW,
	 .function = "throughput", .answer = "Throughput", .name = "throughput",
	 .summary = "Work items finished per day, week or month",
	 .params = {STREAM, SINCE, UNTIL,
				BUCKET,
				TYPE, RULE, ATTRIBUTES, KNOWN_AT}},
	{"GET", "/api/v1/time-in-stage", HANDLE_CALL, CLASS_SLOW,
	 .function = "time_in_stage", .answer = "TimeInStage[]", .name = "time_in_stage",
	 .summary = "Duration of the visits to each stage, in hours",
	 .params = {STREAM, SINCE, UNTIL, TYPE, ATTRIBUTES, KNOWN_AT, PERCENTILES}},
	{"GET", "/api/v1/cycle-times", HANDLE_CALL, CLASS_SLOW,
	 .function = "cycle_times", .answer = "CycleTimes", .name = "cycle_times",
	 .summary = "The cycle times of finished work items, and their percentiles",
	 .params = {STREAM, SINCE, UNTIL, TYPE, LIMIT("5000", 50000), RULE, ATTRIBUTES, KNOWN_AT, PERCENTILES}},
	{"GET", "/api/v1/work-item-age", HANDLE_CALL, CLASS_SLOW,
	 .function = "work_item_age", .answer = "WorkItemAge[]", .name = "work_item_age",
	 .summary = "The age of work items in progress, oldest first",
	 .params = {STREAM, TYPE, LIMIT("500", 5000),
				AS_OF,
				ATTRIBUTES, KNOWN_AT,
				{"history_days", IN_QUERY, KIND_INTEGER, .least = 0, .most = 3653, .fallback = "90", .about = "Days whose finished work items pace and risk compare with; 0: without pace and risk"}}},
	{"GET", "/api/v1/stage-pace", HANDLE_CALL, CLASS_SLOW,
	 .function = "stage_pace", .answer = "StagePace[]", .name = "stage_pace",
	 .summary = "How old finished work items were when they left each stage, in hours",
	 .params = {STREAM,
				{"since", IN_QUERY, KIND_INSTANT, .about = "Start of the window, a date of the stream's time zone or a time; by default 90 days before its end"},
				UNTIL, TYPE, ATTRIBUTES, KNOWN_AT}},
	{"GET", "/api/v1/sle-conformance", HANDLE_CALL, CLASS_SLOW,
	 .function = "sle_conformance", .answer = "SleConformance", .name = "sle_conformance",
	 .summary = "How many finished work items met the service level expectation",
	 .params = {STREAM, SINCE, UNTIL,
				{"step", IN_QUERY, KIND_CHOICE, .choices = "day|week|month", .about = "Length of each bucket; by default none are answered"},
				TYPE, RULE, ATTRIBUTES, KNOWN_AT}},
	{"GET", "/api/v1/blocked-time", HANDLE_CALL, CLASS_SLOW,
	 .function = "blocked_time", .answer = "BlockedTime", .name = "blocked_time",
	 .summary = "How long work items were blocked, by stage and reason, in hours",
	 .params = {STREAM, SINCE, UNTIL, TYPE, ATTRIBUTES, KNOWN_AT}},
	{"GET", "/api/v1/flow-efficiency", HANDLE_CALL, CLASS_SLOW,
	 .function = "flow_efficiency", .answer = "FlowEfficiency", .name = "flow_efficiency",
	 .summary = "Active time of finished work items as a fraction of their total time",
	 .params = {STREAM, SINCE, UNTIL, TYPE, RULE, ATTRIBUTES, KNOWN_AT,
				{"blocked_waits", IN_QUERY, KIND_BOOLEAN, .about = "Whether time in active stages that was blocked counts as wait time; false by default"}}},
	{"GET", "/api/v1/flow-balance", HANDLE_CALL, CLASS_SLOW,
	 .function = "flow_balance", .answer = "FlowBalance", .name = "flow_balance",
	 .summary = "Work items that came in and went out per day, week or month, and those in progress at its end",
	 .params = {STREAM, SINCE, UNTIL, BUCKET, TYPE, ATTRIBUTES, KNOWN_AT}},
	{"GET", "/api/v1/littles-law", HANDLE_CALL, CLASS_SLOW,
	 .function = "littles_law", .answer = "LittlesLaw", .name = "littles_law",
	 .summary = "Whether Little's Law applies to the window, and if not, which condition fails",
	 .params = {STREAM, SINCE, UNTIL, TYPE, RULE, ATTRIBUTES, KNOWN_AT}},
	{"GET", "/api/v1/process-behaviour", HANDLE_CALL, CLASS_SLOW,
	 .function = "process_behaviour", .answer = "ProcessBehaviour", .name = "process_behaviour",
	 .summary = "A figure over time, with its mean, natural process limits and signals",
	 .params = {{"figure", IN_QUERY, KIND_CHOICE, .choices = "throughput|cycle_time|wip|started_wip|age|total_age", .fallback = "throughput", .about = "Whose behaviour: finished work items; their average cycle time; or at the end of each bucket work items in progress, those that have started, the average of their ages, or the sum"},
				STREAM,
				{"since", IN_QUERY, KIND_INSTANT, .about = "Start of the window, a date of the stream's time zone or a time; by default 90 days before its end"},
				UNTIL,
				{"step", IN_QUERY, KIND_CHOICE, .choices = "day|week|month|item", .fallback = "day", .about = "Length of each bucket; item: a point for each finished work item, of cycle_time only"},
				{"baseline_since", IN_QUERY, KIND_INSTANT, .about = "Start of the time that mean and limits are those of; by default the start of the window"},
				{"baseline_until", IN_QUERY, KIND_INSTANT, .about = "End of that time; by default the end of the window"},
				{"moving", IN_QUERY, KIND_INTEGER, .least = 2, .most = 1000, .about = "Instead of a fixed baseline: mean and limits of each point are those of that many points before it"},
				TYPE, RULE, ATTRIBUTES, KNOWN_AT}},
	{"GET", "/api/v1/flow-graph", HANDLE_CALL, CLASS_SLOW,
	 .function = "flow_graph", .answer = "FlowGraph", .name = "flow_graph",
	 .summary = "How often work items moved from each stage to each other one, and after how long",
	 .params = {STREAM, SINCE, UNTIL, TYPE, ATTRIBUTES, KNOWN_AT}},
	{"GET", "/api/v1/flow-paths", HANDLE_CALL, CLASS_SLOW,
	 .function = "flow_paths", .answer = "FlowPaths", .name = "flow_paths",
	 .summary = "The most frequent ways of finished work items through the stages",
	 .params = {STREAM, SINCE, UNTIL, TYPE,
				{"limit", IN_QUERY, KIND_INTEGER, .least = 1, .most = 1000, .fallback = "20", .about = "Maximum number of paths to return"},
				RULE, ATTRIBUTES, KNOWN_AT}},
	{"GET", "/api/v1/rework", HANDLE_CALL, CLASS_SLOW,
	 .function = "rework", .answer = "Rework", .name = "rework",
	 .summary = "How much of what each stage handed on came back: complete and accurate, first-pass yield",
	 .params = {STREAM, SINCE, UNTIL, TYPE, ATTRIBUTES, KNOWN_AT}},
	{"GET", "/api/v1/data-quality", HANDLE_CALL, CLASS_SLOW,
	 .function = "data_quality", .answer = "DataQuality[]", .name = "data_quality",
	 .summary = "What to know before trusting the figures of a stream",
	 .params = {STREAM}},
	{"GET", "/api/v1/cycle-times-between", HANDLE_CALL, CLASS_SLOW,
	 .function = "cycle_times_between", .answer = "CycleTimesBetween", .name = "cycle_times_between",
	 .summary = "The times that work items took from one stage to another, and their percentiles",
	 .params = {{"from_stage", IN_QUERY, KIND_STRING, .required = true, .about = "Name of the stage where the clock starts"},
				{"to_stage", IN_QUERY, KIND_STRING, .required = true, .about = "Name of the stage where it stops"},
				STREAM, SINCE, UNTIL,
				{"from_which", IN_QUERY, KIND_CHOICE, .choices = WHICH, .fallback = "first_entry", .about = "The move at which the clock starts: the first of the work item, or the last before it stops"},
				{"to_which", IN_QUERY, KIND_CHOICE, .choices = WHICH, .fallback = "last_entry", .about = "The move at which it stops: the first after the first one that starts it, or the last before the window's end"},
				TYPE, LIMIT("5000", 50000), ATTRIBUTES, KNOWN_AT, PERCENTILES}},
	{"GET", "/api/v1/forecast", HANDLE_CALL, CLASS_SLOW,
	 .function = "forecast", .answer = "Object", .name = "forecast",
	 .summary = "When a number of work items will be finished, or how many will be by a date",
	 .params = {{"items", IN_QUERY, KIND_INTEGER, .least = 1, .most = 100000, .about = "Number of work items to finish"},
				{"until", IN_QUERY, KIND_DATE, .about = "Date by which they are to be finished"},
				STREAM, TYPE, HISTORY_DAYS, SEED, ATTRIBUTES, WORKING_DAYS, EXCLUDE_OUTLIERS, AS_OF, KNOWN_AT}},
	{"GET", "/api/v1/forecast-items", HANDLE_CALL, CLASS_SLOW,
	 .function = "forecast_items", .answer = "ForecastItem[]", .name = "forecast_items",
	 .summary = "When each work item in progress will be finished",
	 .params = {STREAM,
				{"by", IN_QUERY, KIND_CHOICE, .choices = "age|order", .fallback = "age", .about = "Whether work items are finished as they were started (age) or as they were created (order)"},
				TYPE, LIMIT("500", 5000), HISTORY_DAYS, SEED, AS_OF, ATTRIBUTES, WORKING_DAYS, EXCLUDE_OUTLIERS, KNOWN_AT}},
	{"GET", "/api/v1/forecast-delivery", HANDLE_CALL, CLASS_SLOW,
	 .function = "forecast_delivery", .answer = "ForecastDelivery", .name = "forecast_delivery",
	 .summary = "When work items of several streams will be finished together",
	 .params = {{"items", IN_QUERY, KIND_OBJECT, .required = true, .example = "{\"web\": 12}", .about = "Number of work items of each stream, a JSON object such as {\"web\": 12, \"app\": 5}"},
				TYPE, HISTORY_DAYS, SEED,
				{"at", IN_QUERY, KIND_TIME, .about = "As of this time; now by default"},
				ATTRIBUTES, WORKING_DAYS, EXCLUDE_OUTLIERS,
				{"known_at", IN_QUERY, KIND_TIME, .about = "The answer as it was known at this time"}}},
	{"GET", "/api/v1/forecast-backtest", HANDLE_CALL, CLASS_SLOW,
	 .function = "forecast_backtest", .answer = "ForecastBacktest", .name = "forecast_backtest",
	 .summary = "How often the forecasts of past days held",
	 .params = {{"items", IN_QUERY, KIND_INTEGER, .least = 1, .most = 100000, .about = "Forecast in how many days that many work items are finished"},
				{"days", IN_QUERY, KIND_INTEGER, .least = 1, .most = 3653, .about = "Forecast how many work items are finished within that many days; 14 by default"},
				STREAM,
				{"since", IN_QUERY, KIND_INSTANT, .about = "Start of the window, a date of the stream's time zone or a time; by default 90 days before its end"},
				UNTIL, TYPE, HISTORY_DAYS, SEED, ATTRIBUTES, WORKING_DAYS, EXCLUDE_OUTLIERS, KNOWN_AT}},
	{"GET", "/api/v1/bottlenecks", HANDLE_CALL, CLASS_SLOW,
	 .function = "bottlenecks", .answer = "Bottlenecks", .name = "bottlenecks",
	 .summary = "The stages that slow the flow, and why",
	 .params = {STREAM, SINCE, UNTIL, TYPE, ATTRIBUTES, KNOWN_AT}},
	{"GET", "/api/v1/dora", HANDLE_CALL, CLASS_SLOW,
	 .function = "dora", .answer = "Dora", .name = "dora",
	 .summary = "The software delivery figures of DORA",
	 .params = {STREAM, SINCE, UNTIL, BUCKET_OR_WINDOW, TYPE, ATTRIBUTES, KNOWN_AT,
				{"source", IN_QUERY, KIND_CHOICE, .choices = "items|deployments", .about = "What counts as a deployment: work items that are finished, or deployments that were reported; by default these if there are any"},
				{"from_stage", IN_QUERY, KIND_STRING, .about = "Measure the lead time from the first entry into this stage; from creation by default"},
				{"to_stage", IN_QUERY, KIND_STRING, .about = "Measure the lead time to the first entry into this stage; to the finish by default"}}},
	{"GET", "/api/v1/flow-framework", HANDLE_CALL, CLASS_SLOW,
	 .function = "flow_framework", .answer = "FlowFramework", .name = "flow_framework",
	 .summary = "The five figures of the Flow Framework",
	 .params = {STREAM, SINCE, UNTIL, BUCKET_OR_WINDOW, TYPE, RULE, ATTRIBUTES, KNOWN_AT}},

	{"POST", "/api/v1/work-items/{work_item_id}/failures", HANDLE_CALL, .writes = true, .status = 201,
	 .function = "mark_failure", .answer = "Failure", .name = "mark_failure",
	 .summary = "Record that a delivered work item failed in production, or that it has recovered",
	 .params = {ITEM_ID,
				{"failed_at", IN_BODY, KIND_TIME, .about = "Time of the failure; by default that of the failure that goes on, else now"},
				{"recovered_at", IN_BODY, KIND_TIME, .about = "Time from which users were no longer affected"},
				{"reason", IN_BODY, KIND_STRING, .about = "What failed"}}},
	{"POST", "/api/v1/deployments", HANDLE_CALL, .writes = true, .status = 201,
	 .function = "add_deployment", .answer = "Deployment", .name = "add_deployment",
	 .summary = "Record a deployment to production, or change the one with that external_id",
	 .params = {{"deployed_at", IN_BODY, KIND_TIME, .about = "Time of the deployment; now by default"},
				{"stream", IN_BODY, KIND_STRING, .fallback = "default", .about = "Name of the value stream"},
				{"external_id", IN_BODY, KIND_STRING, .about = "Its id elsewhere, such as a tag; unique in the stream"},
				{"rework", IN_BODY, KIND_BOOLEAN, .about = "Whether it was unplanned, made to repair what users noticed; false by default"},
				{"description", IN_BODY, KIND_STRING, .about = "What was deployed"}}},
	{"POST", "/api/v1/incidents", HANDLE_CALL, .writes = true, .status = 201,
	 .function = "add_incident", .answer = "Incident", .name = "add_incident",
	 .summary = "Record an incident in production, or change the one with that external_id",
	 .params = {{"started_at", IN_BODY, KIND_TIME, .about = "Time at which it began; now by default"},
				{"stream", IN_BODY, KIND_STRING, .fallback = "default", .about = "Name of the value stream"},
				{"external_id", IN_BODY, KIND_STRING, .about = "Its id elsewhere; unique in the stream"},
				{"deployment", IN_BODY, KIND_STRING, .about = "The external_id of the deployment that caused it; by default the latest before it"},
				{"recovered_at", IN_BODY, KIND_TIME, .about = "Time from which users were no longer affected"},
				{"description", IN_BODY, KIND_STRING, .about = "What happened"}}},
	{"GET", "/api/v1/days-off", HANDLE_CALL,
	 .function = "days_off", .answer = "DayOff[]", .name = "days_off",
	 .summary = "The days on which nobody works on a stream",
	 .params = {STREAM}},
	{"PUT", "/api/v1/days-off/{day}", HANDLE_CALL, .writes = true, .defines = true,
	 .function = "set_day_off", .answer = "DayOff", .name = "set_day_off",
	 .summary = "Make a day one on which nobody works on a stream",
	 .params = {{"day", IN_PATH, KIND_DATE, .required = true, .about = "The day, in the time zone of the stream"},
				{"stream", IN_BODY, KIND_STRING, .fallback = "default", .about = "Name of the value stream"},
				{"reason", IN_BODY, KIND_STRING, .about = "Why nobody works"}}},
	{"DELETE", "/api/v1/days-off/{day}", HANDLE_CALL, .writes = true, .defines = true,
	 .function = "delete_day_off", .answer = "DayOff", .name = "delete_day_off",
	 .summary = "Make a day off a day like others; returns it as it was",
	 .params = {{"day", IN_PATH, KIND_DATE, .required = true, .about = "The day"}, STREAM}},

	{"POST", "/api/v1/import", HANDLE_IMPORT, CLASS_IMPORT, .writes = true,
	 .function = "import_end", .answer = "Import", .name = "import",
	 .summary = "Import moves from a file: an export of a tracker or a table of your own",
	 .params = {STREAM,
				{"on_error", IN_QUERY, KIND_CHOICE, .choices = "abort|skip", .fallback = "abort", .about = "What to do with refused rows: abort the import, or skip them"},
				{"create_stages", IN_QUERY, KIND_BOOLEAN, .about = "Whether stages that do not exist are added, and the stream if there is none of that name; false by default"},
				{"create_types", IN_QUERY, KIND_BOOLEAN, .about = "Whether types that do not exist are added; false by default"},
				{"stages", IN_QUERY, KIND_LIST, .sql = "json", .about = "The stages of the file in order, with their categories, instead of those of the proposal"},
				{"aliases", IN_QUERY, KIND_OBJECT, .sql = "json", .example = "{\"Fertig\": \"Done\"}", .about = "Stages that names in the file mean, a JSON object such as {\"Fertig\": \"Done\"}; null: rows with that name are no moves"},
				{"time_zone", IN_QUERY, KIND_STRING, .about = "Time zone of times without an offset, such as Europe/Berlin; that of the stream by default"},
				{"dry_run", IN_QUERY, KIND_BOOLEAN, .here = true, .about = "Whether only to answer what the file is understood as, and write nothing; false by default"},
				{"dates", IN_QUERY, KIND_CHOICE, .here = true, .choices = "DMY|MDY|YMD", .about = "Order of day, month and year; by default as the dates of the file prove"},
				{"direction", IN_QUERY, KIND_CHOICE, .here = true, .choices = "oldest_first|newest_first", .about = "How the lines of an item stand in the file; by default as the file proves"},
				{"item", IN_QUERY, KIND_STRING, .here = true, .about = "Name of the column that tells the item"},
				{"stage", IN_QUERY, KIND_STRING, .here = true, .about = "Name of the column of the stage that the item enters"},
				{"time", IN_QUERY, KIND_STRING, .here = true, .about = "Name of the column that tells when"},
				{"type", IN_QUERY, KIND_STRING, .here = true, .about = "Name of the column of the item's type"},
				{"title", IN_QUERY, KIND_STRING, .here = true, .about = "Name of the column of the item's title"}}},
};

/* clang-format on */

const int	vsm_route_count = sizeof vsm_routes / sizeof vsm_routes[0];

/* By route, NULL for a route without a function; then the fixed statements. */
static const Statement *statements[sizeof vsm_routes / sizeof vsm_routes[0] + N_FIXED_STATEMENTS];

static char *call_of(const Route *route, int *n_params);
static const char *sql_type(const Param *param);
static bool match_path(const char *pattern, const char *path, size_t length, Segment *wildcards);

/*
 * vsm_routes_start
 *		Make the SQL of every route.  It contains only names from the table above.
 */
void
vsm_routes_start(void)
{
	for (int i = 0; i < vsm_route_count; i++)
	{
		int			n_params;

		if (vsm_routes[i].function != NULL)
		{
			char	   *sql = call_of(&vsm_routes[i], &n_params);

			statements[i] = vsm_statement_new(sql, n_params);
		}
	}
	statements[vsm_route_count + STATEMENT_TYPES] = vsm_statement_new(vsm_copy("SELECT vsm_api.types()"), 0);
	/* With tokens, the gateway's own user may lack privileges; the server would log an error. */
	statements[vsm_route_count + STATEMENT_HEALTH] =
		vsm_statement_new(vsm_copy(vsm_options_auth() ? "SELECT true" : "SELECT vsm_api.health()"), 0);
	statements[vsm_route_count + STATEMENT_READY] =
		vsm_statement_new(vsm_format("SELECT %s, %s", SERVER_WRITABLE_SQL, vsm_options_auth() ? "true" : "vsm_api.health()"), 0);
	statements[vsm_route_count + STATEMENT_IMPORT_SETTINGS] = vsm_statement_new(vsm_copy("SELECT vsm_api.import_settings($1, $2)"), 2);
	statements[vsm_route_count + STATEMENT_IMPORT_REHEARSE] = vsm_statement_new(vsm_copy("SELECT vsm_api.import_rehearse($1, $2, $3)"), 3);
	(void) vsm_statement_settings(false);
}

static char *
call_of(const Route *route, int *n_params)
{
	Text		sql = {0};
	int			n = 0;

	vsm_text_addf(&sql, "SELECT vsm_api.%s(", route->function);
	for (; route->params[n].name != NULL && !route->params[n].here; n++)
		vsm_text_addf(&sql, "%s\"%s\" => $%d::%s", n > 0 ? ", " : "", route->params[n].name, n + 1, sql_type(&route->params[n]));
	vsm_text_addc(&sql, ')');
	*n_params = n;
	return sql.data;
}

static const char *
sql_type(const Param *param)
{
	if (param->sql != NULL)
		return param->sql;
	switch (param->kind)
	{
		case KIND_ID:
			return "bigint";
		case KIND_INTEGER:
			return vsm_param_is_bigint(param) ? "bigint" : "integer";
		case KIND_TIME:
			return "timestamptz";
		case KIND_DATE:
			return "date";
		case KIND_BOOLEAN:
		case KIND_FLAG:
			return "boolean";
		case KIND_STEP:
			return "interval";
		case KIND_OBJECT:
		case KIND_LIST:
			return "jsonb";
		case KIND_PERCENTILES:
			return "double precision[]";
		case KIND_SHARE:
			return "double precision";
		case KIND_INSTANT:
		case KIND_STRING:
		case KIND_TYPE:
		case KIND_CHOICE:
			break;
	}
	return "text";
}

bool
vsm_param_is_bigint(const Param *param)
{
	return param->kind == KIND_ID || param->most > INT32_MAX;
}

const Statement *
vsm_statement_of(const Route *route)
{
	return statements[route - vsm_routes];
}

const Statement *
vsm_statement_fixed(FixedStatement which)
{
	return statements[vsm_route_count + (int) which];
}

bool
vsm_route_has(const Route *route, Where where)
{
	for (const Param *param = route->params; param->name != NULL; param++)
		if (param->where == where)
			return true;
	return false;
}

/* Where no key of the body is required, an empty body is as good as {}. */
bool
vsm_route_needs_body(const Route *route)
{
	for (const Param *param = route->params; param->name != NULL; param++)
		if (param->where == IN_BODY && param->required)
			return true;
	return false;
}

/*
 * vsm_route_match
 *		Find the route of a method and a path, which is percent-encoded and has no query.
 *
 * HEAD uses the route of GET.  A slash at the end does not count, as in the old service.
 */
Match
vsm_route_match(const char *method, const char *path, size_t length)
{
	Match		match = {0};

	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	if (length > 1 && path[length - 1] == '/')
		length--;
	for (int i = 0; i < vsm_route_count; i++)
	{
		Segment		wildcards[MAX_SEGMENTS] = {0};

		if (!match_path(vsm_routes[i].path, path, length, wildcards))
			continue;
		match.path = &vsm_routes[i];
		if (strcmp(method, vsm_routes[i].method) == 0)
		{
			match.route = &vsm_routes[i];
			memcpy(match.wildcards, wildcards, sizeof wildcards);
			break;
		}
	}
	return match;
}

/* A {name} matches one segment that is not empty. */
static bool
match_path(const char *pattern, const char *path, size_t length, Segment *wildcards)
{
	const char *end = path + length;
	int			n = 0;

	while (*pattern != '\0')
	{
		if (*pattern != '{')
		{
			if (path == end || *path++ != *pattern++)
				return false;
			continue;
		}
		wildcards[n].bytes = path;
		while (path < end && *path != '/')
			path++;
		wildcards[n].length = (size_t) (path - wildcards[n].bytes);
		if (wildcards[n++].length == 0)
			return false;
		pattern = strchr(pattern, '}') + 1;
	}
	return path == end;
}

/* The methods of a path, as a value of the Allow header. */
void
vsm_route_allow(const Route *path, char *allow, size_t size)
{
	Text		list = {0};

	for (int i = 0; i < vsm_route_count; i++)
	{
		if (strcmp(vsm_routes[i].path, path->path) != 0)
			continue;
		vsm_text_addf(&list, "%s, ", vsm_routes[i].method);
		if (strcmp(vsm_routes[i].method, "GET") == 0)
			vsm_text_adds(&list, "HEAD, ");
	}
	vsm_text_adds(&list, "OPTIONS");
	snprintf(allow, size, "%s", list.data);
	vsm_text_free(&list);
}
