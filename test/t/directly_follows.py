#!/usr/bin/env python3
"""Directly-follows graph, paths and rework of an event log, by plain Python: the reference of directly_follows.pl.

directly_follows.py LOG CONFIG: LOG is CSV with case_id, stage, entered_at, in the order of the events of each case;
CONFIG is JSON with the stages in order, each with its category.  Prints JSON; times are in seconds.
"""
import csv
import gzip
import json
import math
import sys
from collections import Counter, defaultdict
from datetime import datetime

log, config = sys.argv[1:]
stages = json.load(open(config))["stages"]
category = {name: kind for name, kind in stages}
order = {name: place for place, (name, _) in enumerate(stages)}

traces = defaultdict(list)
with (gzip.open(log, "rt", encoding="utf-8") if log.endswith(".gz") else open(log, encoding="utf-8")) as file:
    for row in csv.DictReader(file):
        at = datetime.fromisoformat(row["entered_at"].replace("Z", "+00:00")).timestamp()
        traces[row["case_id"]].append((at, row["stage"]))

starts, times, paths = Counter(), defaultdict(list), Counter()
handed, sent_back, first_handed, first_sent_back = Counter(), Counter(), Counter(), Counter()
for trace in traces.values():
    trace.sort(key=lambda event: event[0])      # stable: events at one time keep their order
    # an event of the stage that the case is in is no move
    moves = [event for i, event in enumerate(trace) if i == 0 or trace[i - 1][1] != event[1]]
    names = [stage for _, stage in moves]

    # the graph: each stage with the one that follows it directly
    starts[names[0]] += 1
    for (came, a), (went, b) in zip(moves, moves[1:]):
        times[a, b].append(went - came)

    # the path, up to the entry into a done stage that still holds
    done = [category[name] == "done" for name in names]
    if done[-1]:
        last = len(names) - 1
        while last > 0 and done[last - 1]:
            last -= 1
        paths[" > ".join(names[:last + 1])] += 1

    # rework: an exit to a later stage hands on; if the next entry into the stage is from a later one, it was sent back
    seen = set()
    for i in range(len(names) - 1):
        a, b = names[i], names[i + 1]
        if "discarded" in (category[a], category[b]) or order[b] < order[a]:
            continue
        again = next((k for k in range(i + 1, len(names)) if names[k] == a), None)
        back = again is not None and order[names[again - 1]] > order[a] and category[names[again - 1]] != "discarded"
        handed[a] += 1
        sent_back[a] += back
        if a not in seen:
            first_handed[a] += 1
            first_sent_back[a] += back
        seen.add(a)


def summary(values):
    values.sort()
    rank = lambda p: values[max(math.ceil(p * len(values)) - 1, 0)]     # as percentile_disc
    return {"n": len(values), "p50": rank(0.5), "p85": rank(0.85), "avg": sum(values) / len(values)}


json.dump({
    "starts": starts,
    "edges": {" > ".join(edge): summary(values) for edge, values in times.items()},
    "paths": paths,
    "rework": {name: [handed[name], sent_back[name], first_handed[name], first_sent_back[name]]
               for name, kind in stages if kind != "discarded"},
}, sys.stdout)
