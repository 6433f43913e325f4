"""pvAccess's values as a real server sends them, and what becomes of them."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import numpy as np
from p4p import Type
from p4p.nt import NTEnum, NTNDArray, NTScalar, NTTable
from p4p.server.raw import SharedPV
from pva_support import NS, Gathered, Served, as_stored, first, opened, post

from linacre.archiver.model import Drop, Kind, NoticeKind

NAN = math.nan
SCALARS: list[tuple[str, list[Any], Kind, str]] = [
    ("?", [True, False], Kind.INT32, "boolean"),
    ("b", [-128, 127], Kind.INT32, "byte"),
    ("B", [0, 255], Kind.INT32, "ubyte"),
    ("h", [-(2**15), 2**15 - 1], Kind.INT32, "short"),
    ("H", [0, 2**16 - 1], Kind.INT32, "ushort"),
    ("i", [-(2**31), 2**31 - 1], Kind.INT32, "int"),
    ("I", [0, 2**32 - 1], Kind.INT64, "uint"),
    ("l", [-(2**63), 2**63 - 1], Kind.INT64, "long"),
    ("L", [2**53 + 1, 2**64 - 1], Kind.UINT64, "ulong"),
    ("f", [0.5, float(np.float32(0.1))], Kind.FLOAT32, "float"),
    ("d", [0.1, -math.inf], Kind.FLOAT64, "double"),
    ("s", ["", "ü µ"], Kind.STRING, "string"),
]
ARRAYS: list[tuple[str, list[Any], Kind]] = [
    ("?", [True, False], Kind.INT32_ARRAY),
    ("b", [-128, 127], Kind.BYTES),
    ("B", [0, 255], Kind.BYTES),
    ("h", [-(2**15), 2**15 - 1], Kind.INT16_ARRAY),
    ("H", [0, 2**16 - 1], Kind.INT32_ARRAY),
    ("i", [-(2**31), 2**31 - 1], Kind.INT32_ARRAY),
    ("I", [0, 2**32 - 1], Kind.INT64_ARRAY),
    ("l", [-(2**63), 2**63 - 1], Kind.INT64_ARRAY),
    ("L", [1, 2**64 - 1], Kind.UINT64_ARRAY),
    ("f", [0.5, math.inf], Kind.FLOAT32_ARRAY),
    ("d", [0.1, -1.5], Kind.FLOAT64_ARRAY),
    ("s", ["", "ü", "abc"], Kind.STRING_ARRAY),
]


def test_each_scalar_type_comes_through() -> None:
    at = time.time_ns()
    pvs = {
        f"S:{code}": opened(NTScalar(code).type, {"value": values[0]}, at, tag=7)
        for code, values, _, _ in SCALARS
    }
    with Served(pvs) as served, Gathered(served) as gathered:
        for pv in pvs:
            gathered.add(pv)
        for pv in pvs:
            gathered.until_values(pv, 1)
        for code, values, _, _ in SCALARS:
            alarm = {"severity": 2, "status": 3, "message": "too hot"}
            post(pvs[f"S:{code}"], {"value": values[1], "alarm": alarm}, at + 1, tag=-8)
        for code, values, kind, native in SCALARS:
            pv = f"S:{code}"
            gathered.until_values(pv, 2)
            before, after = (as_stored(code, value) for value in values)
            assert gathered.samples[pv] == [
                (before, at, 0, 0, 7, kind),
                (after, at + 1, 2, 3, -8, kind),
            ]
            (connected,) = gathered.told(NoticeKind.CONNECTED, pv)
            assert connected["native"] == f"epics:nt/NTScalar:1.0 {native}"
            assert connected["changed"] is False


def test_each_array_type_comes_through_and_empty_ones() -> None:
    pvs = {
        f"A:{code}": opened(NTScalar(f"a{code}").type, {"value": values})
        for code, values, _ in ARRAYS
    }
    with Served(pvs) as served, Gathered(served) as gathered:
        for pv in pvs:
            gathered.add(pv)
        for code, values, kind in ARRAYS:
            pv = f"A:{code}"
            gathered.until_values(pv, 1)
            post(pvs[pv], {"value": []})
            found = gathered.until_values(pv, 2)
            assert found == [as_stored(code, values), b"" if kind is Kind.BYTES else []]
            assert gathered.samples[pv][0][-1] is kind
            assert gathered.told(NoticeKind.CONNECTED, pv)[0]["count"] == len(values)


def test_an_enum_is_its_index_and_its_labels_are_metadata() -> None:
    of = NTEnum(display=True).type
    at = time.time_ns() - 4 * NS
    pv = opened(of, {"value": {"index": 1, "choices": ["Off", "On"]}}, at)
    with Served({"E": pv}) as served, Gathered(served) as gathered:
        gathered.add("E")
        gathered.until_values("E", 1)
        post(pv, {"value.index": 0}, at + 5)
        gathered.until_values("E", 2)
        post(pv, {"value": {"index": 2, "choices": ["Off", "On", "Ramping"]}}, at + 10)
        assert gathered.until_values("E", 3) == [1, 0, 2]
        assert gathered.samples["E"][0][-1] is Kind.ENUM
        labels = [told["labels"] for told in gathered.told(NoticeKind.METADATA, "E")]
        assert labels == [("Off", "On"), ("Off", "On", "Ramping")]
        said = [n.from_ns for n in gathered.notices if n.kind is NoticeKind.METADATA]
        assert said == [at, at + 10], "since the sample that they came with, not its receipt"


def test_a_stamp_that_is_ahead_costs_itself_alone() -> None:
    at = time.time_ns()
    pv = opened(NTScalar("d").type, {"value": 10.0}, at)
    with Served({"D": pv}) as served, Gathered(served) as gathered:
        gathered.add("D")
        gathered.until_values("D", 1)
        post(pv, {"value": 11.0}, at + 20 * 60 * NS)
        post(pv, {"value": 12.0}, at + 2)
        post(pv, {"value": 13.0}, at + 40 * 60 * NS)
        post(pv, {"value": 14.0}, at + 3)
        assert gathered.until_values("D", 3) == [10.0, 12.0, 14.0]
        assert gathered.source.drops() == {"D": {Drop.AHEAD: 1, Drop.FUTURE: 1}}
        assert gathered.told(NoticeKind.DROPPED, "D")[-1]["stamp_ns"] >= at + 20 * 60 * NS


def test_tables_images_and_structures_are_json_of_their_fields() -> None:
    table = NTTable([("x", "d"), ("name", "s")])
    rows = [{"x": 1.5, "name": "a"}, {"x": NAN, "name": "b"}, {"x": math.inf, "name": "c"}]
    own = Type(
        [
            ("value", ("S", "pt", [("x", "d"), ("y", "i")])),
            ("chosen", ("U", None, [("a", "i"), ("b", "s")])),
            ("any", "v"),
            ("rows", ("aS", None, [("q", "L")])),
        ],
        id="lab:thing:1.0",
    )
    thing = {
        "value": {"x": 0.25, "y": -3},
        "chosen": ("b", "text"),
        "any": np.arange(3),
        "rows": [{"q": 2**64 - 1}],
    }
    pvs = {
        "TABLE": SharedPV(initial=first(table.type, dict(table.wrap(rows).todict()))),
        "IMAGE": SharedPV(initial=NTNDArray().wrap(np.arange(6, dtype=np.uint16).reshape(2, 3))),
        "THING": opened(own, thing),
    }
    post(pvs["IMAGE"], {"uniqueId": 5})
    before = time.time_ns()
    with Served(pvs) as served, Gathered(served) as gathered:
        for pv in pvs:
            gathered.add(pv)
        found = {pv: json.loads(gathered.until_values(pv, 1)[0]) for pv in pvs}
        assert found["TABLE"]["value"] == {"x": [1.5, None, "Infinity"], "name": ["a", "b", "c"]}
        assert found["TABLE"]["labels"] == ["x", "name"]
        assert "timeStamp" not in found["TABLE"]
        assert found["IMAGE"]["value"] == list(range(6))
        assert [d["size"] for d in found["IMAGE"]["dimension"]] == [3, 2]
        assert found["IMAGE"]["uniqueId"] == 5
        assert found["THING"] == {
            "value": {"x": 0.25, "y": -3},
            "chosen": "text",
            "any": [0, 1, 2],
            "rows": [{"q": 2**64 - 1}],
        }
        # It has no time of its own: when it came is its time.
        ((_, at, *_, kind),) = gathered.samples["THING"]
        assert kind is Kind.STRUCT
        assert before < at < time.time_ns()
        assert gathered.told(NoticeKind.CONNECTED, "THING")[0]["native"] == "lab:thing:1.0"


def test_only_chosen_fields_are_kept() -> None:
    table = NTTable([("x", "d"), ("y", "d")])
    at = time.time_ns()
    wrapped = table.wrap([{"x": 1.0, "y": 2.0}]).todict()
    pvs = {
        "TABLE": opened(table.type, {**wrapped, "alarm": {"severity": 1}}, at),
        "PLAIN": opened(NTScalar("d").type, {"value": 1.5}),
    }
    with Served(pvs) as served, Gathered(served) as gathered:
        gathered.add("TABLE", fields=("value.x", "descriptor"))
        gathered.add("PLAIN", fields=("value",))
        assert gathered.until_values("TABLE", 1) == ['{"value":{"x":[1.0]},"descriptor":""}']
        assert gathered.samples["TABLE"][0][1:3] == (at, 1)
        native = gathered.told(NoticeKind.CONNECTED, "TABLE")[0]["native"]
        assert native == "epics:nt/NTTable:1.0 {value.x,descriptor}"
        assert gathered.until_values("PLAIN", 1) == [1.5]
        assert gathered.samples["PLAIN"][0][-1] is Kind.FLOAT64
