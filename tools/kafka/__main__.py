"""``tools/kafka/start [--nodes N]``: Kafka in the foreground, its data gone at the end."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tools.kafka import BrokerError, KafkaCluster


def main() -> None:
    """Start, say where, and wait for SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="tools/kafka/start", description="Run Apache Kafka on this machine.")
    parser.add_argument("--nodes", type=int, choices=(1, 3), default=1, help="how many brokers; one if not given")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="trn-guard-kafka-") as directory:
        try:
            with KafkaCluster(Path(directory) / "cluster", nodes=arguments.nodes) as cluster:
                print(
                    f"{cluster.url}\nIn another terminal: guard demo --bus {cluster.url}\nCtrl-C ends it.",
                    flush=True,
                )
                while True:
                    signal.pause()
        except KeyboardInterrupt:
            return
        except (BrokerError, FileNotFoundError) as error:
            sys.exit(f"tools/kafka/start: {error}")


main()
