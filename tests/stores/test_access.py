"""Projects, users, tokens, and that secrets are kept as hashes only."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from hilum.model.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from hilum.model.identity import RIGHTS, SYSTEM, Right, Role, Scope
from hilum.stores.access import Grant
from hilum.stores.schema import tokens, users

PASSWORD = "correct horse battery"


@pytest.fixture
def ward_site(site):
    site.access.create_project(SYSTEM, "ward", ae_title="WARD_7", quiet_seconds=9, retention_days=30)
    return site


def test_a_project_is_found_again_with_its_settings(ward_site):
    project = ward_site.access.find_project(SYSTEM, "ward")
    assert (project.ae_title, project.quiet_seconds, project.retention_days) == ("WARD_7", 9, 30)


@pytest.mark.parametrize("taken", [{"name": "ward"}, {"name": "ward-8", "ae_title": "WARD_7"}])
def test_a_name_or_ae_title_is_taken_once(ward_site, taken):
    with pytest.raises(ConflictError, match="taken by project 'ward'"):
        ward_site.access.create_project(SYSTEM, **taken)


@pytest.mark.parametrize("name", ["", "a b", "ward/7", "w" * 65, "über", "ward\n"])
def test_a_project_s_name_has_letters_digits_underscores_and_hyphens(site, name):
    with pytest.raises(InvalidError):
        site.access.create_project(SYSTEM, name, ae_title="A")


@pytest.mark.parametrize("ae_title", ["SEVENTEEN_CHARS_X", "WITH\\BACKSLASH", "ÜBER", "LINE\nBREAK"])
def test_an_ae_title_is_one_by_the_standard(site, ae_title):
    with pytest.raises(InvalidError):
        site.access.create_project(SYSTEM, "ward", ae_title=ae_title)


def test_a_long_name_needs_an_ae_title(site):
    with pytest.raises(InvalidError, match="too many for an AE title"):
        site.access.create_project(SYSTEM, "fourteen_chars")
    assert site.access.create_project(SYSTEM, "fourteen_chars", ae_title="FOURTEEN").name == "fourteen_chars"


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_only_administrators_of_the_site_make_projects(site, role):
    with pytest.raises(ForbiddenError):
        site.access.create_project(Scope("somebody", {"admin": role}), "ward")


# --- roles -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("right", Right)
def test_a_role_gives_its_rights_in_its_project_and_in_no_other(role, right):
    scope = Scope("somebody", {"ward": role})
    assert scope.holds(right, "ward") == (right in RIGHTS[role])
    assert not scope.holds(right, "elsewhere")
    assert not scope.sees("elsewhere")


def test_a_role_in_the_project_admin_holds_everywhere():
    scope = Scope("somebody", {"admin": Role.REVIEWER, "ward": Role.VIEWER})
    assert scope.holds(Right.REVIEW, "ward")
    assert not scope.holds(Right.OPERATE, "ward")


# --- tokens ----------------------------------------------------------------------------------------------------------------------


def test_a_token_gives_its_scope_and_only_its_hash_is_kept(ward_site):
    made = ward_site.access.create_token(SYSTEM, "scanner", [Grant("ward", Role.OPERATOR)])
    assert ward_site.access.scope_of_token(made.secret) == Scope("token scanner", {"ward": Role.OPERATOR}, may_see_identity=False)
    with ward_site.database.reading() as connection:
        assert made.secret not in str(connection.execute(select(tokens)).all())


def test_an_unknown_an_expired_and_a_revoked_token_give_nothing(ward_site):
    access, until = ward_site.access, ward_site.clock() + timedelta(days=1)
    expiring = access.create_token(SYSTEM, "for a day", [Grant("ward", Role.VIEWER)], expires_at=until)
    revoked = access.create_token(SYSTEM, "lost", [Grant("ward", Role.VIEWER)])
    assert access.scope_of_token(expiring.secret) is not None
    ward_site.clock.advance(days=1)
    access.revoke_token(SYSTEM, revoked.id)
    assert [access.scope_of_token(secret) for secret in ("nonsense", expiring.secret, revoked.secret)] == [None, None, None]


def test_a_token_is_revoked_by_an_administrator_of_its_projects_only(ward_site, ward):
    mine = ward_site.access.create_token(SYSTEM, "mine", [Grant("ward", Role.VIEWER)])
    other = ward_site.access.create_token(SYSTEM, "other", [Grant("admin", Role.VIEWER)])
    ward_site.access.revoke_token(ward, mine.id)
    for token_id in (other.id, "unknown"):
        with pytest.raises(NotFoundError):
            ward_site.access.revoke_token(ward, token_id)
    assert ward_site.access.scope_of_token(other.secret) is not None


def test_nobody_grants_what_they_do_not_hold(ward_site, ward):
    blind = Scope("an administrator", {"ward": Role.ADMIN}, may_see_identity=False)
    for scope, grant in ((ward, Grant("admin", Role.VIEWER)), (blind, Grant("ward", Role.VIEWER, may_see_identity=True))):
        with pytest.raises(ForbiddenError):
            ward_site.access.create_token(scope, "a token", [grant])
    assert not ward_site.access.has_tokens()


def test_a_token_or_user_without_a_role_is_refused(ward_site, ward):
    for make in (
        lambda: ward_site.access.create_token(ward, "a token", []),
        lambda: ward_site.access.add_user(ward, "nina", PASSWORD, []),
    ):
        with pytest.raises(InvalidError):
            make()


def test_identities_are_seen_only_where_every_grant_allows_it(ward_site):
    granted = [Grant("ward", Role.VIEWER, may_see_identity=True), Grant("admin", Role.VIEWER)]
    made = ward_site.access.create_token(SYSTEM, "both", granted)
    assert ward_site.access.scope_of_token(made.secret).may_see_identity is False


# --- users -------------------------------------------------------------------------------------------------------------------------


def test_a_user_signs_in_with_the_password_and_with_no_other(ward_site):
    ward_site.access.add_user(SYSTEM, "nina", PASSWORD, [Grant("ward", Role.REVIEWER, may_see_identity=True)])
    assert ward_site.access.scope_of_user("nina", PASSWORD) == Scope("nina", {"ward": Role.REVIEWER}, may_see_identity=True)
    assert ward_site.access.scope_of_user("nina", PASSWORD + "!") is None
    assert ward_site.access.scope_of_user("nobody", PASSWORD) is None
    with ward_site.database.reading() as connection:
        assert connection.scalar(select(users.c.password_hash)).startswith("$argon2id$")


def test_a_short_password_and_a_taken_name_are_refused(ward_site):
    granted = [Grant("ward", Role.VIEWER)]
    with pytest.raises(InvalidError, match="twelve"):
        ward_site.access.add_user(SYSTEM, "nina", "eleven_char", granted)
    ward_site.access.add_user(SYSTEM, "nina", PASSWORD, granted)
    with pytest.raises(ConflictError, match="'nina'"):
        ward_site.access.add_user(SYSTEM, "nina", PASSWORD, granted)
