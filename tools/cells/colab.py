# @title Setup: run this cell first
# The long text below is gan_keras, the helper of this notebook: the cell turns it back into files
import atexit
import base64
import io
import shutil
import sys
import tempfile
import zipfile


def unpack(text):
    """Write the files into a folder that stays until the kernel ends, and tell Python to look there first."""
    folder = tempfile.mkdtemp(prefix="gan_keras_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    zipfile.ZipFile(io.BytesIO(base64.b64decode(text))).extractall(folder)
    sys.path.insert(0, folder)


HELPER = ""
if "gan_keras" not in sys.modules:  # else the cell has run before
    unpack(HELPER)
import gan_keras

print(f"gan_keras {gan_keras.__version__}, from this file")
