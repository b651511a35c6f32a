"""Tokens for programs and users for people. What is secret is told once and kept as a hash only."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hilum.api.calling import Administrator
from hilum.api.paging import Listed, whole
from hilum.api.routing import PREFIX, UnrepeatedRoute
from hilum.api.shapes import Time
from hilum.model.identity import ADMIN_PROJECT, Role
from hilum.stores.access import Grant
from hilum.stores.credentials import Credential

router = APIRouter(prefix=PREFIX, tags=["credentials"], route_class=UnrepeatedRoute)


class Granted(BaseModel):
    """What a token or user may do."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=128)
    role: Role
    project: str = ADMIN_PROJECT
    may_see_identity: bool = False

    @property
    def grant(self) -> Grant:
        return Grant(self.project, self.role, self.may_see_identity)


class NewToken(Granted):
    expires_at: AwareDatetime | None = None


class NewUser(Granted):
    password: str = Field(min_length=12, max_length=1024)


class MadeToken(BaseModel):
    """`token` is the secret, shown this once."""

    id: str
    name: str
    token: str


class MadeUser(BaseModel):
    id: str
    name: str


class GrantShape(BaseModel):
    project: str
    role: Role
    may_see_identity: bool


class CredentialShape(BaseModel):
    """A token or user without its secret; the last two are null for a user."""

    id: str
    name: str
    grants: list[GrantShape]
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None


@router.post("/tokens", status_code=201)
def create_token(call: Administrator, new: NewToken) -> MadeToken:
    """A bearer token with a role in one project."""
    expires_at: datetime | None = new.expires_at
    made = call.app.access.create_token(call.scope, new.name, [new.grant], expires_at=expires_at)
    return MadeToken(id=made.id, name=made.name, token=made.secret)


@router.get("/tokens", response_model=Listed[CredentialShape])
def list_tokens(call: Administrator) -> Any:
    """Tokens of the caller's projects, the oldest first; no secret."""
    return whole([_shape(one) for one in call.app.credentials.tokens(call.scope)])


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(call: Administrator, token_id: str) -> None:
    """It opens nothing any more, at the latest when the few seconds are over for which callers are remembered."""
    call.app.access.revoke_token(call.scope, token_id)


@router.get("/users", response_model=Listed[CredentialShape])
def list_users(call: Administrator) -> Any:
    """People of the caller's projects, by name."""
    return whole([_shape(one) for one in call.app.credentials.users(call.scope)])


@router.delete("/users/{user_id}", status_code=204)
def remove_user(call: Administrator, user_id: str) -> None:
    """Named by id or name; it comes in no more, at the latest when the few seconds are over for which callers are remembered."""
    call.app.credentials.remove_user(call.scope, user_id)


@router.post("/users", status_code=201)
def add_user(call: Administrator, new: NewUser) -> MadeUser:
    """A person who signs in with name and password."""
    return MadeUser(id=call.app.access.add_user(call.scope, new.name, new.password, [new.grant]), name=new.name)


def _shape(one: Credential) -> CredentialShape:
    return CredentialShape(
        id=one.id,
        name=one.name,
        grants=[GrantShape(project=grant.project, role=grant.role, may_see_identity=grant.may_see_identity) for grant in one.grants],
        created_at=one.created_at,
        expires_at=one.expires_at,
        revoked_at=one.revoked_at,
    )
