# The image "manylayers" against skopeo, podman, umoci and GNU tar.
image=manylayers
load image
