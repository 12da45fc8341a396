"""The command line that runs Kafka's classes: where the jars are, and what makes Java start fast."""

import shutil
import subprocess
from pathlib import Path

_FETCH = Path(__file__).with_name("fetch")
_MEGABYTES = 320
"""Heap of a broker. A few topics of test data need about 100; the log cleaner's buffer is set small beside it."""


def jars() -> Path | None:
    """Where Kafka's jars lie, ``None`` when they were never fetched."""
    found = subprocess.run([str(_FETCH), "--present"], capture_output=True, text=True, check=False)
    return Path(found.stdout.strip()) if found.returncode == 0 else None


def available() -> bool:
    """Whether a broker can be started here: Java and the jars."""
    return shutil.which("java") is not None and jars() is not None


def class_archive() -> Path | None:
    """Where Java keeps Kafka's classes parsed (class data sharing): it halves the start, 1.4 s instead of 2.8.

    The first broker that ends in good order writes it. The name carries the age of this Java, for an archive of
    another is refused.
    """
    java, directory = shutil.which("java"), jars()
    if java is None or directory is None:
        return None
    return directory / f"classes-{int(Path(java).resolve().stat().st_mtime):x}.jsa"


def command(main: str, *arguments: str, write_archive: Path | None = None) -> list[str]:
    """How to run the class ``main``."""
    archive = class_archive()
    if archive is None:
        raise FileNotFoundError(
            "no Java or no jars of Kafka here; run tools/provision, or tools/kafka/fetch for the jars"
        )
    sharing = []
    if write_archive is not None:
        sharing = [f"-XX:ArchiveClassesAtExit={write_archive}"]
    elif archive.exists():
        sharing = [f"-XX:SharedArchiveFile={archive}"]
    return [
        "java",
        f"-Xmx{_MEGABYTES}m",
        "-XX:+UseSerialGC",  # no threads for collecting, on machines with two cores
        "-XX:TieredStopAtLevel=1",  # the quick compiler alone: these processes live for seconds
        *sharing,
        "-Xlog:disable",  # what the archive leaves out would fill the log: it is a matter of speed alone
        "-Xlog:all=error:stderr",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",  # it says when a broker is ready
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
        "-cp",
        f"{archive.parent}/*",
        main,
        *arguments,
    ]
