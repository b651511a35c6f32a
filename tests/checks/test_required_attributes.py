"""The attributes that a template requires, also where it was saved after the images came and the catalogue does not keep them yet."""

from io import BytesIO

import pydicom
import pytest
from checked import check_files, kinds, the

from hilum.model.templates import Template
from images import image


def requiring(**required):
    rule = {"attribute": "Modality", "operator": "equals", "value": "MR"}
    return Template.model_validate(
        {"name": "timed", "rule": rule, "required_attributes": [required], "processing": [{"processor": "nifti"}]}
    )


TIMED = requiring(attribute="EchoTime", values=[4.5])


@pytest.mark.parametrize("unread", [(), ("EchoTime",)], ids=["kept", "not read yet"])
def test_a_required_attribute_that_is_there_is_not_missed(unread):
    files = [image(number, EchoTime=4.5) for number in (1, 2)]
    assert "required-attributes" not in kinds(check_files(files, unread, template=TIMED))


@pytest.mark.parametrize("unread", [(), ("EchoTime",)], ids=["kept", "not read yet"])
@pytest.mark.parametrize(
    ("attributes", "trouble"),
    [({}, "is missing"), ({"EchoTime": ""}, "is missing"), ({"EchoTime": 9}, "is none of 4.5")],
)
def test_what_is_missing_empty_or_another_value_is_told_with_its_instances(unread, attributes, trouble):
    files = [image(1, EchoTime=4.5), image(2, **attributes)]
    found = the(check_files(files, unread, template=TIMED), "required-attributes")
    assert f"EchoTime {trouble} in 1 of 2 instances" in found.sentence
    assert found.instances == ("1.2.826.1.1.2",)


@pytest.mark.parametrize(
    ("attribute", "wanted", "value"),
    [
        ("EchoTime", "4.50", 4.5),
        ("PatientPosition", "hfs", "HFS"),
        ("StudyDate", "2026-03-01", "20260301"),
        ("PatientAge", "002Y", "024M"),
        ("RequestAttributesSequence[*].CodeValue", "A", None),
    ],
)
def test_required_values_are_compared_as_their_vr_says(attribute, wanted, value):
    files = [image(1, **({} if value is None else {attribute: value}))]
    found = kinds(check_files(files, (attribute,), template=requiring(attribute=attribute, values=[wanted])))
    assert ("required-attributes" in found) is (value is None)


def test_a_private_attribute_is_read_as_the_vr_that_the_site_has_given_it():
    path = "(0019,100C) ACME"
    body = with_private(image(1), b"12")
    seven, twelve = (requiring(attribute=path, values=[value], vr="IS") for value in (7, 12))
    assert "required-attributes" not in kinds(check_files([body], (path,), template=twelve))
    assert "is none of 7" in the(check_files([body], (path,), template=seven), "required-attributes").sentence


def with_private(body, content):
    """The file with (0019,100C) of the creator ACME, of unknown VR."""
    data_set = pydicom.dcmread(BytesIO(body))
    data_set.add_new(0x00190010, "LO", "ACME")
    data_set.add_new(0x0019100C, "UN", content)
    out = BytesIO()
    data_set.save_as(out)
    return out.getvalue()
