"""De-identification profiles: those that come with Hilum, and the site's own in `profiles` of the data directory."""

from importlib import resources

from hilum.model.errors import InvalidError, NotFoundError
from hilum.model.profiles import Profile
from hilum.runtime.plain_yaml import read_yaml
from hilum.runtime.registry import find_members
from hilum.runtime.settings import Settings


def profiles(settings: Settings) -> dict[str, Profile]:
    """The shipped profiles and the site's own by name; a site's takes the place of a shipped one of its name.

    Raises:
        InvalidError: one of them is wrong.
    """
    shipped = [file for file in (resources.files("hilum") / "profiles").iterdir() if file.name.endswith(".yaml")]
    own = sorted((settings.data / "profiles").glob("*.yaml")) if (settings.data / "profiles").is_dir() else []
    found: dict[str, Profile] = {}
    for file in (*shipped, *own):
        profile = _read_profile(file.name, file.read_text(encoding="utf-8"))
        found[profile.name] = profile
    return found


def find_profile(settings: Settings, name: str) -> Profile:
    """One profile by its name.

    Raises:
        NotFoundError: there is none.
    """
    known = profiles(settings)
    if name not in known:
        raise NotFoundError(f"There is no de-identification profile {name!r}.", f"Known are {', '.join(sorted(known))}.")
    return known[name]


def _read_profile(file: str, text: str) -> Profile:
    from hilum.deidentification.plans import check_profile

    try:
        profile = Profile.model_validate(read_yaml(text))
    except ValueError as error:
        raise InvalidError(f"The profile in {file} is wrong: {error}", "Mend the file; docs/deidentification.md has examples.") from error
    check_profile(profile, find_members("hilum.actions"))
    return profile
