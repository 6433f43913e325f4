"""Segments: folders of Parquet files sorted by PV and time, with an index and roll-ups."""

from linacre.archiver.store.segments.caches import Cache as Cache
from linacre.archiver.store.segments.damage import Damage as Damage
from linacre.archiver.store.segments.flush import write_segment as write_segment
from linacre.archiver.store.segments.limits import Limits as Limits
from linacre.archiver.store.segments.names import Level as Level
from linacre.archiver.store.segments.names import SegmentName as SegmentName
from linacre.archiver.store.segments.segment import Segment as Segment
from linacre.archiver.store.segments.segment_set import SegmentSet as SegmentSet
