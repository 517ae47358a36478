"""The target's quota in words and in JSON: what is used, when there is room, when all is sent."""

from typing import Any

from ldimport.errors import ExitCode, QuotaError
from ldimport.migration.prospects import Prospect
from ldimport.migration.quota import Forecast, Quota
from ldimport.wording import clock, counted, duration, number, utc


def moment(at: float, now: float, *, here: bool) -> str:
    """A time to come: for a screen local with the span until then, elsewhere in UTC."""
    return f"{clock(at, now)} (in {duration(at - now)})" if here else utc(at)


def room(error: QuotaError, now: float, *, here: bool) -> str | None:
    """When how many more fit after a refusal, in a sentence; None where nobody knows."""
    if error.resume_at is None:
        return None
    when = moment(error.resume_at, now, here=here)
    what = f"{number(error.fits)} more" if error.fits else "more"
    if error.at_the_latest:
        return f"Room for {what} by {when} at the latest: others have used the quota, too."
    return f"Room for {what} from {when}."


def used(quota: Quota) -> str:
    """``12,340 of 50,000 in 24 h``, and what is left for others."""
    text = f"{number(quota.used)} of {number(quota.allowed or 0)} in 24 h"
    return f"{text}, {number(quota.reserve)} kept for others" if quota.reserve else text


def next_room(quota: Quota, *, here: bool) -> str:
    """``room for 12,340``, or when there is some."""
    opens = quota.next_room()
    if opens is None:
        return "no room"
    if opens.at <= quota.at:
        return f"room for {number(opens.images)}"
    when = clock(opens.at, quota.at) if here else utc(opens.at)
    return f"next room {when}, for {number(opens.images)}"


def days(forecast: Forecast, now: float, *, here: bool) -> str:
    """``24 days, done about 17 Dec 06:14``."""
    many = counted(forecast.days, "day")
    done = clock(forecast.finish_at, now) if here else utc(forecast.finish_at)
    return f"{many}, done about {done}"


def document(quota: Quota) -> dict[str, Any]:
    """For scripts; null where it is not known."""
    opens = quota.next_room()
    later = opens is not None and opens.at > quota.at
    return {
        "limit": quota.allowed,
        "used": None if quota.allowed is None else quota.used,
        "others": quota.others,
        "reserve": quota.reserve,
        "room": quota.room,
        "resumeAt": utc(opens.at) if opens is not None and later else None,
        "fits": opens.images if opens is not None and later else None,
    }


def forecast_document(forecast: Forecast | None) -> dict[str, Any]:
    """``days`` and ``finishAt``."""
    if forecast is None:
        return {"days": None, "finishAt": None}
    return {"days": forecast.days, "finishAt": utc(forecast.finish_at)}


def standing(prospect: Prospect, now: float, *, here: bool) -> dict[str, str]:
    """Of an archive: quota, finish, last run; each in words, where there is something to say."""
    found, run = {}, prospect.last_run
    if prospect.quota.allowed is not None:
        found["quota"] = f"{used(prospect.quota)} · {next_room(prospect.quota, here=here)}"
    if prospect.forecast is not None:
        at = prospect.forecast.finish_at
        waits = "" if run is None or not run.unsent else f", {number(run.unsent)} wait"
        found["finish"] = f"about {moment(at, now, here=here)}{waits}"
    if run is not None:
        word = ExitCode(run.exit_code).word if run.exit_code in {*ExitCode} else "?"
        ago = f"{duration(now - run.finished_at)} ago" if here else utc(run.finished_at)
        found["last run"] = f"{run.command}, {ago}, exit {run.exit_code} ({word})"
    return found
