"""The tables of ledger and catalogue, the same on SQLite and PostgreSQL. Changed only together with a file in `migrations/`.

Items (intake, study, workitem) keep their state in one table, `items`; every move leaves a row in `moves`.
"""

from hilum.stores.schema.callers import grants, projects, replies, tokens, users
from hilum.stores.schema.columns import metadata
from hilum.stores.schema.crosswalk import crosswalk, crosswalk_keys
from hilum.stores.schema.deciding import acceptances, findings, matches, private_tags, templates
from hilum.stores.schema.erasing import tombstones
from hilum.stores.schema.holding import (
    instances,
    intake_studies,
    kept_attributes,
    patients,
    series,
    series_headers,
    studies,
    study_datasets,
)
from hilum.stores.schema.making import artifacts, deidentifications, derivatives, receipts, reviews, workitems
from hilum.stores.schema.pictures import pictures
from hilum.stores.schema.receiving import commitment_reports, files, intakes, members, packs, peers
from hilum.stores.schema.standing import items, moves

__all__ = [
    "acceptances",
    "artifacts",
    "commitment_reports",
    "crosswalk",
    "crosswalk_keys",
    "deidentifications",
    "derivatives",
    "files",
    "findings",
    "grants",
    "instances",
    "intake_studies",
    "intakes",
    "items",
    "kept_attributes",
    "matches",
    "members",
    "metadata",
    "moves",
    "packs",
    "patients",
    "peers",
    "pictures",
    "private_tags",
    "projects",
    "receipts",
    "replies",
    "reviews",
    "series",
    "series_headers",
    "studies",
    "study_datasets",
    "templates",
    "tokens",
    "tombstones",
    "users",
    "workitems",
]
