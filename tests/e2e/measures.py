# SPDX-License-Identifier: Apache-2.0
"""Histograms of records, added up and asked for quantiles."""


class Histogram:
    """OpenTelemetry's exponential histogram at scale 4, from any number of records' fields."""

    def __init__(self, fields):
        self.counts, self.count, self.sum, self.least, self.most = {}, 0, 0, None, None
        for field in fields:
            for place, count in enumerate(field["counts"]):
                bucket = field["offset"] + place
                self.counts[bucket] = self.counts.get(bucket, 0) + count
            self.count += field["count"]
            self.sum += field["sum"]
            self.least = field["min"] if self.least is None else min(self.least, field["min"])
            self.most = field["max"] if self.most is None else max(self.most, field["max"])

    def quantile(self, share):
        """Interpolated inside its bucket, ns."""
        rank, before = share * self.count, 0
        for bucket, count in sorted(self.counts.items()):
            if count and before + count >= rank:
                low = max(2 ** (bucket / 16), self.least)
                high = min(2 ** ((bucket + 1) / 16), self.most)
                return low + (high - low) * (rank - before) / count
            before += count
        return self.most


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
