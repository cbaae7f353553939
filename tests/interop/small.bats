# The image "small" against skopeo, podman, umoci and GNU tar.
image=small
load image
