"""PS3.3: the modules of an IOD and the types of their attributes."""

import json
from importlib.resources import files

import pytest

from hilum.dicom.iods import AttributeType, Usage, attributes_of, attributes_of_items, iod_of, modules_of, type_of

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


@pytest.mark.parametrize(
    ("sop_class", "path", "kind"),
    [
        (CT, ("PatientName",), AttributeType.EMPTY_IF_UNKNOWN),  # PS3.3 C.7.1.1
        (CT, ("PatientBirthDate",), AttributeType.EMPTY_IF_UNKNOWN),
        (CT, ("StudyInstanceUID",), AttributeType.REQUIRED),
        (CT, ("ImagePositionPatient",), AttributeType.REQUIRED),  # C.7.6.2
        (CT, ("PixelSpacing",), AttributeType.REQUIRED),
        (CT, ("PatientAge",), AttributeType.OPTIONAL),
        (MR, ("EchoTime",), AttributeType.EMPTY_IF_UNKNOWN),  # C.8.3.1
        (MR, ("InversionTime",), AttributeType.CONDITIONALLY_EMPTY_IF_UNKNOWN),
        (SEGMENTATION, ("SegmentSequence", "SegmentLabel"), AttributeType.REQUIRED),  # C.8.20.2
        (CT, ("SegmentSequence",), None),
        ("1.2.3", ("PatientName",), None),
    ],
)
def test_the_type_of_an_attribute_is_that_of_the_standard(sop_class, path, kind):
    assert type_of(sop_class, *path) == kind


def test_the_strictest_type_counts_where_several_modules_have_the_attribute():
    # PS3.3 C.7.6.1 has Image Type as 3, C.8.3.1 as 1.
    assert attributes_of("general-image")["ImageType"].type is AttributeType.OPTIONAL
    assert type_of(MR, "ImageType") is AttributeType.REQUIRED


def test_an_iod_names_its_modules_with_their_usage():
    uses = {use.module: (use.usage, use.information_entity) for use in modules_of(CT)}
    assert uses["image-plane"] == (Usage.MANDATORY, "Image")
    assert uses["contrast-bolus"][0] is Usage.CONDITIONAL
    assert uses["clinical-trial-subject"][0] is Usage.OPTIONAL


def test_an_unknown_sop_class_has_no_modules():
    assert iod_of("1.2.3") is None
    assert modules_of("1.2.3") == ()


def test_every_path_of_the_source_is_found_again_with_its_type():
    source = json.loads((files("highdicom") / "_standard/module_attribute_map.json").read_bytes())
    for module in ("enhanced-mr-image-multi-frame-functional-groups", "segmentation-image", "general-study", "rt-roi-observations"):
        for row in source[module]:
            attributes = attributes_of(module)
            for keyword in row["path"]:
                attributes = attributes_of_items(attributes[keyword].node)
            assert attributes[row["keyword"]].type == row["type"].replace("None", "")
