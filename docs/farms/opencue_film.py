"""Sends a film to OpenCue, a frame of its layer for each shot; needs opencue's pyoutline.

python opencue_film.py SHOW FILM OUTPUT CUTS [OPTION …]

    python opencue_film.py testing /films/in.mp4 /films/dream.mp4 48,96 --preset animals --seed 7

CUTS are the first frames of new shots, or none (`dreamlayer film … --list-shots`). All computers
see the same folders.
"""

import getpass
import shlex
import sys

import outline
import outline.cuerun
import outline.modules.shell


def main() -> None:
    show, film, output, cuts, *options = sys.argv[1:]
    shots = 1 if cuts == "none" else cuts.count(",") + 2
    command = ["dreamlayer", "film", film, "-o", output, "--cuts", cuts, "--resume", *options]
    job = outline.Outline("dreamlayer-film", shot="film", show=show, user=getpass.getuser())
    # #IFRAME# becomes the number of the frame, which here is that of the shot.
    dream = outline.modules.shell.Shell(
        "dream",
        type="Render",
        command=[f"{shlex.join(command)} --shot #IFRAME# --of {shots}"],
        range=f"1-{shots}",
    )
    whole = outline.modules.shell.Shell(
        "film", type="Util", command=[shlex.join(command)], range="1-1"
    )
    whole.depend_all(dream)
    job.add_layer(dream)
    job.add_layer(whole)
    outline.cuerun.launch(job, use_pycuerun=False, os="Linux", nomail=True)


if __name__ == "__main__":
    main()
