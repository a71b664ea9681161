"""States of credentials: who they are taken for, or what whoever shows them is told."""

from typing import NamedTuple

# Categories of the codes of `docs/reference/authentication.md`.
CATEGORIES = {3000: "CATEGORY_AUTH", 3001: "CATEGORY_AUTH", 3003: "CATEGORY_NON_RETRYABLE"}


class Right(NamedTuple):
    """Credentials that are taken."""

    name: str
    headers: list
    who: str
    method: str
    role: str | None
    # What the audit shows: the roles as the credentials name them.
    roles: str | None = None
    shown: str | None = None

    @property
    def principal(self):
        """As the audit shows it."""
        roles = self.roles if self.roles is not None else self.role
        person = {"id": self.who, "name": self.shown or self.who}
        return person | ({"role": roles} if roles else {})


class Wrong(NamedTuple):
    """Credentials that are refused."""

    name: str
    headers: list
    code: int
    # A part of the message, which tells that they are refused for this and nothing else.
    text: str
    # None where it cannot be told what is shown, or nothing is.
    method: str | None

    @property
    def category(self):
        return CATEGORIES[self.code]


class Shut(NamedTuple):
    """A certificate with which there is no connection, and the reason that is counted."""

    name: str
    reason: str
    headers: list | tuple = ()
