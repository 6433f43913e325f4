"""The catalogue: the database of record, for history and search.

Importing this package imports SQLAlchemy (0.2 s): commands do so only when they need it.
"""

from linacre.catalogue.catalogue import Catalogue, TaskHandle
from linacre.catalogue.inventory import Inventory

__all__ = ["Catalogue", "Inventory", "TaskHandle"]
