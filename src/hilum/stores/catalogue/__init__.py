"""What is held: patients, studies, series, instances, findings, workitems and results, within the caller's scope."""

from hilum.stores.catalogue.findings import FindingQueries
from hilum.stores.catalogue.paging import Page
from hilum.stores.catalogue.reviews import ReviewQueries
from hilum.stores.catalogue.rows import STUDY_ROWS, WORKITEM_ROWS
from hilum.stores.catalogue.series import SeriesQueries
from hilum.stores.catalogue.set_aside import SetAsideQueries
from hilum.stores.catalogue.studies import StudyFilter, StudyQueries
from hilum.stores.catalogue.waiting import WaitingQueries
from hilum.stores.catalogue.workitems import WorkitemQueries
from hilum.stores.database import Database

__all__ = ["STUDY_ROWS", "WORKITEM_ROWS", "Catalogue", "Page", "StudyFilter"]


class Catalogue(StudyQueries, SeriesQueries, FindingQueries, SetAsideQueries, WaitingQueries, WorkitemQueries, ReviewQueries):
    """All queries under one name; nothing here changes anything."""

    def __init__(self, database: Database) -> None:
        self.database = database
