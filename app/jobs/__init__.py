"""Training runs: processes of their own, one at a time, that outlive the page and the server."""

from app.jobs.bursts import LENT
from app.jobs.job import Job, State, checked_name
from app.jobs.queue import Jobs
from app.jobs.trail import Trail

__all__ = ["LENT", "Job", "Jobs", "State", "Trail", "checked_name"]
