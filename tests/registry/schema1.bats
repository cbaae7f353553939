#!/usr/bin/env bats
# Manifests of Docker's schema 1, which registries of 2015 gave and Debian's still does when it is told to.

load helpers

setup_file() {
	make_files
	start_registry old 'compatibility: {schema1: {enabled: true}}'
	make_image docker "$files/app.tar" --name app:1 --cmd /bin/app --dir etc --file etc/motd=hello --big data=300000 \
		--layer --file etc/new=new --delete etc/motd --config '{"docker_version": "20.10.5", "history": [
			{"created": "2024-01-01T00:00:00Z", "created_by": "ADD base"},
			{"created": "2024-01-01T00:00:01.5Z", "created_by": "ENV x=1", "empty_layer": true},
			{"created": "2024-01-01T00:00:02Z", "created_by": "COPY <new> & more", "author": "me"},
			{"created": "2024-01-01T00:00:03Z", "created_by": "CMD /bin/app", "empty_layer": true}]}'
	sk copy -q --dest-tls-verify=false --format v2s1 "docker-archive:$files/app.tar" "docker://$registry/app:1"
	[ "$(curl -s "http://$registry/v2/app/manifests/1" | jq .schemaVersion)" = 1 ]
}
teardown_file() { drop_files; }

@test "such an image gets the config, and so the ID, that others make of it" {
	sk copy -q --src-tls-verify=false --format v2s2 "docker://$registry/app:1" dir:theirs
	[ "$(pull "$registry/app:1")" = "$(jq -r .config.digest theirs/manifest.json)" ]
	[ "$(nacre inspect "$registry/app:1" | jq -c '.[0].root_fs.layers | length')" = 2 ]
	[ "$(nacre history "$registry/app:1" --json | jq 'length')" = 4 ]
	[ "$(nacre cat "$registry/app:1:/etc/new")" = new ]
	run ! nacre cat "$registry/app:1:/etc/motd"
	nacre check --full
}

@test "by digest: that of the bytes without the signature" {
	digest=$(curl -sI "http://$registry/v2/app/manifests/1" | tr -d '\r' | sed -n 's/^Docker-Content-Digest: //p')
	[ "$(pull "$registry/app@$digest")" = "$(pull "$registry/app:1")" ]
}

@test "copies to places without a store" {
	nacre copy -q --tls-verify=false "docker://$registry/app:1" oci:layout:app
	nacre copy -q --tls-verify=false "docker://$registry/app:1" docker-archive:out.tar
	[ "$(nacre load -q layout)" = "$(nacre load -q out.tar)" ]
}

@test "what does not fit is refused" {
	mkdir -p v2/bad/manifests v2/bad/blobs
	curl -s "http://$registry/v2/app/manifests/1" >good
	serve lies static --files "$PWD"
	while read -r change word; do
		jq -c "$change" good >v2/bad/manifests/1
		fails 65 nacre pull -q --tls-verify=false "localhost:$port/bad:1"
		says "$word"
	done <<-'END'
		del(.history[0])|del(.signatures) 4 layers and 3
		.history=[]|.fsLayers=[]|del(.signatures) 0 layers
		.fsLayers[1].blobSum="../../x"|del(.signatures) fsLayers[1]
		.history[0].v1Compatibility="{"|del(.signatures) v1Compatibility
		.layers=[]|del(.signatures) another kind
		.signatures[0].protected="!" base64
	END
	[ "$(nacre images -q)" = "" ]
}
