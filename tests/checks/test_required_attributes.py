"""The attributes that a template requires, also where it was saved after the images came and the catalogue does not keep them yet."""

import pytest
from checked import check_files, kinds, the

from hilum.model.templates import Template
from images import image

TIMED = Template.model_validate(
    {
        "name": "timed",
        "rule": {"attribute": "Modality", "operator": "equals", "value": "MR"},
        "required_attributes": [{"attribute": "EchoTime", "values": [4.5]}],
        "processing": [{"processor": "nifti"}],
    }
)


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
