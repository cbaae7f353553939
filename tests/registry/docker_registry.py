"""Debian's docker-registry on loopback, for programs in Python."""
import os
import re
import subprocess
import time


class DockerRegistry:
    """Keeps what it has in a directory, HOME/registry, until it is stopped."""

    def __init__(self, home):
        config, log = os.path.join(home, 'registry.yml'), os.path.join(home, 'registry.log')
        with open(config, 'w') as f:
            f.write('version: 0.1\nlog: {level: info}\nhttp: {addr: "127.0.0.1:0", secret: tests}\n'
                    f'storage: {{filesystem: {{rootdirectory: {home}/registry}}}}\n')
        with open(log, 'w') as f:
            self.process = subprocess.Popen(['docker-registry', 'serve', config], stdout=f, stderr=f)
        port = None
        while not port:
            time.sleep(0.05)
            if self.process.poll() is not None:
                raise RuntimeError('docker-registry does not run')
            with open(log) as f:
                port = re.search(r'listening on 127\.0\.0\.1:(\d+)', f.read())
        self.address = f'localhost:{port.group(1)}'

    def stop(self):
        self.process.kill()
        self.process.wait()
