"""Dawid-Skene of crowd-kit: votes from a CSV (item,voter,label), labels to another (item,label).

Ends with one line of JSON: how long the fit took, without reading and writing."""

import json
import sys
import time

import pandas
from crowdkit.aggregation import DawidSkene

votes = pandas.read_csv(sys.argv[1], dtype=str).rename(
    columns={"item": "task", "voter": "worker"}
)
begun = time.perf_counter()
# As crowd-kit's documentation shows it.
labels = DawidSkene(n_iter=100).fit_predict(votes)
seconds = time.perf_counter() - begun
labels.rename_axis("item").rename("label").to_csv(sys.argv[2])
print(json.dumps({"seconds": seconds}))
