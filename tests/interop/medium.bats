# The image "medium" against skopeo, podman, umoci and GNU tar.
image=medium
load image
