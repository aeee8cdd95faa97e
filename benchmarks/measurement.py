"""Measurements that can be killed and gone on with: each part of each job leaves a file."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

from noiseproof.files import write_atomically

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from fit_sets import Job

    Part = Callable[[Job, argparse.Namespace], dict[str, Any]]


class Measurement:
    """What is done of jobs: ``JOB.PART.json`` in the folder ``options.work``.

    Args:
        options: what parts are told; with the folder ``work``.
        shown: what is said of a part that is done.
    """

    def __init__(self, options: argparse.Namespace, shown: Callable[[dict[str, Any]], str] = json.dumps) -> None:
        self._options, self._shown = options, shown
        options.work.mkdir(parents=True, exist_ok=True)

    def do(self, jobs: Sequence[Job], parts: Mapping[str, Part], processes: int = 0) -> None:
        """Do what is missing of some parts of jobs.

        Args:
            jobs: which ones, in this order.
            parts: functions of a job and the options, by the names of the parts.
            processes: how many parts are done at once; 0 for one after another in this process.
        """
        missing = [(job, part) for job in jobs for part in parts if not self._file(job, part).exists()]
        if not processes:
            for job, part in missing:
                self._keep(job, part, parts[part](job, self._options))
        elif missing:
            with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
                futures = {pool.submit(parts[part], job, self._options): (job, part) for job, part in missing}
                for future in as_completed(futures):
                    self._keep(*futures[future], future.result())

    def results(self, jobs: Sequence[Job], parts: Sequence[str]) -> dict[Job, dict[str, dict[str, Any]]]:
        """By job and part, of the jobs of which all of these parts are done."""
        return {
            job: {part: json.loads(self._file(job, part).read_text(encoding="utf-8")) for part in parts}
            for job in jobs
            if all(self._file(job, part).exists() for part in parts)
        }

    def _file(self, job: Job, part: str) -> Path:
        folder: Path = self._options.work
        return folder / f"{job.id}.{part}.json"

    def _keep(self, job: Job, part: str, result: dict[str, Any]) -> None:
        write_atomically(self._file(job, part), json.dumps(result).encode())
        print(f"{job.id}, {part}: {self._shown(result)}", flush=True)
