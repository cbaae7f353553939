# The image "manyfiles" against skopeo, podman, umoci and GNU tar.
image=manyfiles
load image
