"""Images built by buildah and run by podman, in a folder of their own: nothing of the machine's own images is touched.

Where no registry can be reached, the base image is made from Debian's packages under the name that the Dockerfile asks
for: the same release of Debian and the same minor version of Python, but not the same bytes.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

DEBIAN, MIRROR = "bookworm", "http://deb.debian.org/debian"
# What the official image holds of them; its PATH as well.
PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates,passwd"
BASE = "FROM scratch\nADD base.tar /\nENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin\n"
# Certificates by which this machine believes a proxy between it and the package index; not kept in the image.
CERTIFICATES = Path("/etc/ssl/certs")
PULL_SECONDS = 20
COMMAND_SECONDS = 600


class Engine:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        storage, limits = folder / "storage.conf", folder / "containers.conf"
        storage.write_text(f'[storage]\ndriver = "overlay"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/images"\n')
        # Podman would raise them, which a container is not always allowed to.
        limits.write_text('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n')
        own = {"CONTAINERS_STORAGE_CONF": str(storage), "CONTAINERS_CONF": str(limits), "BUILDAH_ISOLATION": "chroot"}
        self._environment = os.environ | own | {"TMPDIR": str(folder)}

    def build(self, dockerfile: Path, ignored: Path, context: Path, tag: str, **arguments: str) -> str:
        """What the build said. The base has to be there already."""
        given = [f"--build-arg={name}={value}" for name, value in arguments.items()]
        files = [f"--file={dockerfile}", f"--ignorefile={ignored}", f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"]
        # Docker's format: the other has no HEALTHCHECK.
        command = ["buildah", "bud", "--format=docker", "--pull-never", f"--tag={tag}", *files, *given, str(context)]
        done = self._run(command)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout

    def ensure_base(self, name: str) -> str:
        """Where it comes from: the registry, or Debian's packages."""
        whole = f"docker.io/library/{name}"
        if self._run(["timeout", str(PULL_SECONDS), "podman", "pull", "--quiet", whole]).returncode == 0:
            return "the registry"
        context = self._folder / "base"
        context.mkdir()
        made = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", DEBIAN, "base.tar", MIRROR]
        subprocess.run(made, check=True, cwd=context, capture_output=True, timeout=COMMAND_SECONDS)
        (context / "Dockerfile").write_text(BASE)
        built = self._run(["buildah", "bud", "--quiet", f"--tag={whole}", str(context)])
        assert built.returncode == 0, built.stderr
        return "Debian's packages"

    def podman(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # Without systemd, which a container has none of.
        return self._run(["podman", "--runtime=runc", "--cgroup-manager=cgroupfs", *arguments])

    def close(self) -> None:
        self.podman("rm", "--all", "--force")
        self._run(["podman", "rmi", "--all", "--force"])

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, check=False, env=self._environment, capture_output=True, text=True, timeout=COMMAND_SECONDS
        )
