"""Versions of templates, those that come with Hilum, and the attributes that they name."""

import pytest

from hilum.model.errors import ConflictError, ForbiddenError, NotFoundError
from hilum.model.identity import SYSTEM, Role, Scope
from hilum.model.templates import Template

BUILDER = Scope("a builder", {"admin": Role.BUILDER})


def _template(title, attribute="Modality"):
    rule = {"attribute": attribute, "operator": "equals", "value": "MR"}
    return Template.model_validate({"name": "t", "title": title, "rule": rule, "processing": [{"processor": "dcm2niix"}]})


def test_saving_makes_the_next_version_and_never_changes_an_earlier_one(site):
    assert site.templates.save(BUILDER, _template("first"), new=True) == 1
    assert site.templates.save(BUILDER, _template("second"), new=False) == 2
    assert site.templates.find(SYSTEM, "t", 1) == (_template("first"), 1)
    assert site.templates.find(SYSTEM, "t") == (_template("second"), 2)
    assert site.templates.newest(SYSTEM) == [(_template("second"), 2)]


def test_a_new_name_is_taken_once_and_an_old_one_must_be_known(site):
    with pytest.raises(NotFoundError, match="There is no template 't'"):
        site.templates.save(BUILDER, _template("first"), new=False)
    site.templates.save(BUILDER, _template("first"), new=True)
    with pytest.raises(ConflictError, match="There is a template 't' already"):
        site.templates.save(BUILDER, _template("again"), new=True)


def test_an_unknown_report_type_names_those_that_are_known(site):
    site.templates.save(BUILDER, _template("first"), new=True)
    with pytest.raises(NotFoundError, match=r"no report type 'u'. Known are t\."):
        site.templates.find(SYSTEM, "u")


def test_only_builders_of_the_site_save(site):
    with pytest.raises(ForbiddenError):
        site.templates.save(Scope("an operator", {"admin": Role.OPERATOR}), _template("first"), new=True)


def test_a_shipped_template_is_upgraded_until_somebody_changes_it(site):
    for title in ("of 0.1", "of 0.1", "of 0.2"):
        site.templates.ship(SYSTEM, _template(title))
    assert site.templates.find(SYSTEM, "t") == (_template("of 0.2"), 2)
    site.templates.save(BUILDER, _template("mine"), new=False)
    site.templates.ship(SYSTEM, _template("of 0.3"))
    assert site.templates.find(SYSTEM, "t") == (_template("mine"), 3)


def test_a_template_s_attributes_are_kept_from_then_on_as_a_new_generation(site):
    _, before = site.templates.kept(SYSTEM)
    site.templates.save(BUILDER, _template("first", "FlipAngle"), new=True)
    site.templates.save(BUILDER, _template("second", "MagneticFieldStrength"), new=False)
    kept, generation = site.templates.kept(SYSTEM)
    assert {"FlipAngle", "MagneticFieldStrength", "PatientID"} <= kept
    assert generation >= before + 1
    site.templates.save(BUILDER, _template("third", "MagneticFieldStrength"), new=False)
    assert site.templates.kept(SYSTEM) == (kept, generation)
