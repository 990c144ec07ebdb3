"""Starts gateways for scripts that need several, or some that are killed."""

import os
import re
import subprocess
from pathlib import Path

import psycopg

START_SECONDS_MAX = 60


class Program:
    """The program with the flags of a lake, and what is in its environment beside what is there."""

    def __init__(self, path: Path, flags: list[str]):
        self.path, self.flags = path, flags
        self.started: list[subprocess.Popen] = []

    def start(self, command: str, environment: dict[str, str], *arguments: str) -> subprocess.Popen:
        """A process of one of its commands."""
        process = subprocess.Popen([self.path, command, *self.flags, *arguments], env={**os.environ, **environment}, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.started.append(process)
        return process

    def serve(self, environment: dict[str, str], *arguments: str) -> tuple[subprocess.Popen, psycopg.Connection]:
        """A gateway that refreshes nothing by itself, and a session that is given no answer that was kept."""
        process = self.start("serve", environment, "--listen", "127.0.0.1:0", "--poll", "0", *arguments)
        told = ""
        while not (found := re.search(r"ready on 127\.0\.0\.1:(\d+)", told)):
            line = process.stdout.readline()
            assert line, f"the gateway did not start: {told}"
            told += line
        session = psycopg.connect(host="127.0.0.1", port=int(found[1]), dbname="lake", user="t", autocommit=True,
                                  connect_timeout=START_SECONDS_MAX)
        session.execute("set lakegate.result_cache = 'off'")
        return process, session

    def stop(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
