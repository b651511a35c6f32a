"""Templates over HTTP: YAML in and out, the schema, the dictionary and its private part, operators, dry-runs."""

import uuid

import pytest
import yaml
from pydantic import TypeAdapter

from hilum.model.identity import Role
from hilum.model.templates import Template
from hilum.runtime.assembling import shipped_templates
from hilum.runtime.template_files import from_yaml, to_yaml

YAML = {"content-type": "application/yaml"}
RULE = {"all": [{"attribute": "Modality", "operator": "one-of", "value": ["CT", "PT"]}]}


def new_name():
    return f"t{uuid.uuid4().hex[:10]}"


def definition(**options):
    return {"name": new_name(), "processing": [{"processor": "dcm2niix"}], "active": False, "rule": RULE, **options}


@pytest.mark.parametrize("template", shipped_templates(), ids=lambda one: one.name)
def test_a_shipped_template_survives_yaml_both_ways(template):
    assert Template.model_validate(from_yaml(to_yaml(template))) == template


def test_a_template_that_is_exported_and_imported_is_the_same_and_a_changed_one_is_the_next_version(site):
    client = site.client()
    made = client.post("/templates", json=definition(title="Prüfung")).json()
    text = client.get(f"/templates/{made['name']}/yaml")
    assert (text.headers["content-type"].partition(";")[0], "Prüfung" in text.text) == ("application/yaml", True)
    again = client.post("/templates/yaml", content=text.content, headers=YAML)
    assert again.status_code == 201, again.text
    assert again.json() == made | {"version": 2}
    changed = yaml.safe_load(text.text) | {"name": new_name()}
    assert client.post("/templates/yaml", content=yaml.safe_dump(changed), headers=YAML).json()["version"] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"- 1",
        b"name: [",
        b"title: x",
        b"a: &a [1, 1]\nname: t\nb: [*a, *a]",
        b"[" * 5000,
        b"name: t\nunknown: 1",
        b"name: t\nn: !!int x",
    ],
)
def test_yaml_that_is_no_template_is_refused(site, body):
    reply = site.client().post("/templates/yaml", content=body, headers=YAML)
    assert reply.status_code == 422, reply.text


@pytest.mark.parametrize("word", ["NO", "YES", "on", "17:00", "2026-01-31", "2026-02-30", "010", "1_000", "018Y", "0x10", "="])
def test_a_word_of_a_yaml_file_is_the_word_that_stands_there(word):
    # YAML 1.1 reads false, 1020 or 8; BurnedInAnnotation is NO, and 17:00 a time.
    assert from_yaml(f"name: t\nvalue: {word}\nvalues: [{word}]") == {"name": "t", "value": word, "values": [word]}


@pytest.mark.parametrize("value", [0, -3, 1.5, "1e3", "1.5", "NO", "", "~", "null", "a: b", "# no remark", "line\nbreak", 10**18, ["1", 1]])
def test_a_value_survives_yaml_both_ways(value):
    rule = {"attribute": "PatientComments", "operator": "contains", "value": value}
    template = Template.model_validate(definition(rule=rule))
    again = Template.model_validate(from_yaml(to_yaml(template)))
    assert (again, type(again.rule.value)) == (template, type(template.rule.value))


def test_what_yaml_leaves_empty_is_nothing_and_truth_stays_truth():
    assert from_yaml("name: t\nactive: false\nrule:\ntitle: ~") == {"name": "t", "active": False, "rule": None, "title": None}


@pytest.mark.parametrize("odd", [r'"\ud800"', r'"a\u0000b"', r'{"\udfff": 1}', "NaN", "-Infinity", "1e999"])
def test_what_no_database_keeps_or_gives_back_is_refused_before_it_does_harm(site, odd):
    client, name = site.client(), new_name()
    odd_setting = '{"processor": "dcm2niix", "settings": {"x": ' + odd + "}}"
    for rest in (f'"processing": [{odd_setting}]', f'"processing": [], "title": {odd}'):
        for path, kind in (("/templates", "application/json"), ("/templates/yaml", "application/yaml")):
            reply = client.post(path, content=f'{{"name": "{name}", {rest}}}', headers={"content-type": kind})
            assert reply.status_code == 422, reply.text
    upload = '{"project": "admin", "metadata": {"x": ' + odd + "}}"
    reply = client.post("/uploads", content=upload, headers={"content-type": "application/json"})
    assert (reply.status_code, "no text has" in reply.json()["detail"]) == (422, True), reply.text
    assert client.get("/templates").status_code == 200


def test_a_pair_of_surrogates_is_a_character_like_any_other(site):
    body = '{"project": "admin", "metadata": {"x": "\\ud83d\\ude00", "y": 1e100}}'
    assert site.client().post("/uploads", content=body, headers={"content-type": "application/json"}).status_code == 201


def test_a_key_that_stands_twice_is_refused_since_one_of_them_would_be_lost(site):
    body = b"name: t\nprocessing: [{processor: dcm2niix}]\nrule: {attribute: Modality, operator: equals, value: MR, value: CT}"
    reply = site.client().post("/templates/yaml", content=body, headers=YAML)
    assert (reply.status_code, "'value' stands twice" in reply.json()["detail"]) == (422, True), reply.text


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({"any": [{"attribute": "Modality", "operator": "equals", "valu": "MR"}]}, "rule.any.0.valu: Extra inputs are not permitted."),
        ({"attribute": "Modality", "operator": "equals", "value": "MR", "quantifer": "all"}, "rule.quantifer: Extra inputs are"),
        ({"all": [RULE], "any": [RULE]}, "rule.any: Extra inputs are not permitted."),
        ({"none": [{"attribute": "Rows", "operator": "equals", "value": True}]}, "rule.none.0.value: Value error, a value is text or"),
        ({"Modality": "MR"}, "rule.attribute: Field required. rule.operator: Field required. rule.Modality: Extra inputs"),
    ],
)
def test_a_mistake_in_a_rule_is_told_where_it_stands_and_nothing_else_is(site, rule, sentence):
    detail = site.client().post("/templates", json=definition(rule=rule)).json()["detail"]
    assert detail.startswith(sentence)
    assert len(detail) < 200


def test_a_rule_of_hundreds_of_groups_is_refused_in_few_words(site):
    rule = RULE
    for _ in range(400):
        rule = {"all": [rule]}
    reply = site.client().post("/templates", json=definition(rule=rule))
    assert (reply.status_code, len(reply.text) < 5000) == (422, True), reply.text[:500]


def test_the_schema_describes_what_a_template_holds(site):
    schema = site.client().get("/template-schema").json()
    assert {"rule", "required_series", "processing", "priority"} <= schema["properties"].keys()
    assert {"AllOf", "AnyOf", "NoneOf", "Condition"} <= schema["$defs"].keys()
    TypeAdapter(Template).validate_python(definition())


def test_the_whole_dictionary_can_be_searched_by_keyword_name_and_tag(site):
    client = site.client()
    for text in ("slice thick", "SliceThickness", "00180050", "(0018,0050)"):
        first = client.get("/attributes", params={"text": text}).json()["items"][0]
        assert (first["attribute"], first["tag"], first["vr"]) == ("SliceThickness", "00180050", "DS")
    assert "at-least" in first["operators"]
    assert "contains" not in first["operators"]
    assert "decimal number" in first["hint"]
    assert client.get("/attributes", params={"text": "no such thing"}).json()["items"] == []


def test_operators_say_what_they_do_and_which_vr_they_fit(site):
    client = site.client()
    assert len(client.get("/operators").json()["items"]) >= 19
    of_dates = {one["operator"] for one in client.get("/operators", params={"vr": "DA"}).json()["items"]}
    assert {"date-within", "between", "contains", "is-empty"} <= of_dates
    assert "date-within" not in {one["operator"] for one in client.get("/operators", params={"vr": "DS"}).json()["items"]}


def test_a_private_tag_can_be_asked_for_once_the_site_has_named_it(site):
    client, path = site.client(), f"(0019,100C) {uuid.uuid4().hex[:8]}"
    asking = definition(rule={"attribute": path, "operator": "at-least", "value": 3})
    refused = client.post("/templates", json=asking)
    assert (refused.status_code, "give the private attribute a name" in refused.json()["detail"]) == (422, True), refused.text
    named = client.post("/attributes", json={"attribute": path, "name": "Dose of tracer", "vr": "IS"})
    assert named.status_code == 201, named.text
    found = client.get("/attributes", params={"text": "dose tracer"}).json()["items"]
    assert path in [one["attribute"] for one in found]
    made = client.post("/templates", json=asking)
    assert made.status_code == 201, made.text
    assert made.json()["rule"]["vr"] == "IS"
    assert client.post("/attributes", json={"attribute": path, "name": "again", "vr": "DS"}).status_code == 409
    assert client.delete("/attributes", params={"attribute": path}).status_code == 204
    assert client.delete("/attributes", params={"attribute": path}).status_code == 404


@pytest.mark.parametrize(
    "naming",
    [
        {"attribute": "SliceThickness", "name": "thick", "vr": "DS"},
        {"attribute": "(0019,100C)", "name": "n", "vr": "IS"},
        {"attribute": "(0019,100C) SIEMENS MR HEADER", "name": "b", "vr": "IS"},
        {"attribute": "(0019,100C) ACME", "name": "n", "vr": "XX"},
        {"attribute": "(0019,100C) ACME", "name": "", "vr": "IS"},
    ],
)
def test_only_an_unknown_private_attribute_gets_a_name_and_a_vr(site, naming):
    assert site.client().post("/attributes", json=naming).status_code == 422


def test_groups_may_not_lie_deeper_than_anybody_could_read(site):
    rule = RULE
    for _ in range(30):
        rule = {"any": [rule]}
    reply = site.client().post("/templates", json=definition(rule=rule))
    assert (reply.status_code, "deep in each other" in reply.json()["detail"]) == (422, True), reply.text


def role(name, title):
    return {"role": name, "name": title, "rule": RULE["all"][0]}


@pytest.mark.parametrize(
    ("wrong", "sentence", "hint"),
    [
        ({"required_series": [role("t1", "T1"), role("t1", "FLAIR")]}, "Two required series have the role 't1'.", "a role of its own"),
        ({"required_series": [role("t1", "T1"), role("flair", "T1")]}, "Two required series have the name 'T1'.", "a name of its own"),
        ({"required_attributes": [{"attribute": "EchoTime", "values": ["long"]}]}, "'long', which is not a number", "A decimal number"),
        ({"required_attributes": [{"attribute": "StudyDate", "values": [20260230]}]}, "which is not a date", "YYYYMMDD"),
        ({"required_attributes": [{"attribute": "PatientPosition", "values": ["head-first"]}]}, "is not valid for its Value", "A code"),
        (
            {"required_attributes": [{"attribute": "RequestAttributesSequence", "values": ["A"]}]},
            "no values can be",
            "Sequence[*]",
        ),
        ({"required_attributes": [{"attribute": "(0019,100C) NOBODY", "values": [1]}]}, "no values can be", "name-tag"),
        ({"required_attributes": [{"attribute": "NoSuchThing"}]}, "There is no attribute 'NoSuchThing'", "template tags"),
        ({"severities": {"mising-slices": "info"}}, "There is no check 'mising-slices'.", "Did you mean missing-slices"),
        ({"processing": [{"processor": "dcm2nix"}]}, "There is no processor 'dcm2nix'.", "Did you mean dcm2niix?"),
    ],
)
def test_a_template_that_could_not_work_is_refused_when_it_is_saved(site, wrong, sentence, hint):
    reply = site.client().post("/templates", json=definition(**wrong))
    assert reply.status_code == 422, reply.text
    problem = reply.json()
    assert sentence in problem["detail"]
    assert hint in problem["mend"]


def test_the_vr_of_a_required_private_attribute_is_the_one_that_the_site_has_named(site):
    client, path = site.client(), f"(0019,100C) {uuid.uuid4().hex[:8]}"
    asking = definition(required_attributes=[{"attribute": path, "values": [12], "vr": "IS"}])
    assert client.post("/templates", json=asking).status_code == 422  # not named here: it could never be read
    assert client.post("/attributes", json={"attribute": path, "name": "Dose of tracer", "vr": "IS"}).status_code == 201
    made = client.post("/templates", json=asking)
    assert made.json()["required_attributes"][0]["vr"] == "IS", made.text
    wrong = definition(required_attributes=[{"attribute": path, "values": ["much"]}])
    assert "'much', which is not a number" in client.post("/templates", json=wrong).json()["detail"]


def test_a_dry_run_tells_what_a_draft_would_match_and_saves_nothing(site, uploading, shared_data):
    project = site.project()
    upload = uploading(project)
    for path in sorted((shared_data / "ms_dicom/patient01").rglob("*.dcm"))[:4]:
        upload.put(path.name, path.read_bytes())
    upload.finish()
    client = site.client(site.token("admin", Role.BUILDER))
    draft = definition(rule={"attribute": "Modality", "operator": "equals", "value": "MR"})
    answer = client.post(f"/templates/{draft['name']}/dry-run", json={"template": draft, "days": 7})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["compared_with"], told["series"]["not_judged"], told["never_kept"]) == (None, 0, [])
    assert told["series"]["gained"] == told["series"]["matched"] >= 1
    assert told["examples"][0]["sentence"].endswith("series fit.")
    assert client.get(f"/templates/{draft['name']}").status_code == 404
    assert client.post(f"/templates/{draft['name']}/dry-run", json={}).status_code == 404
