// Package herokuish builds a revision with Heroku's buildpacks as Dokku does by default:
// in a container of the image gliderlabs/herokuish, of which it then makes an image.
//
// # The image's contract
//
// The container runs /build as root, with these folders (herokuish 0.11, Dokku 0.38):
//
//	/tmp/app     the revision; /build copies it to /app
//	/tmp/env     a file for each variable of the app, for buildpacks that read ENV_DIR
//	/tmp/cache   CACHE_PATH, the volume cache-APP, which outlives the build
//	/app/.env    variables for /build itself: BUILDPACK_URL, CURL_TIMEOUT
//	/app         the slug when /build has ended; its Procfile has the types of the
//	             buildpack, if the revision has no Procfile
//
// The image that is made of it runs as the user herokuishuser in /app. /start TYPE starts
// a process type of /app/Procfile, /exec COMMAND any other command, both with the
// variables of the app and those of /app/.profile.d.
//
// # Decisions
//
//   - All that a build must not leave in the image lies on scratch volumes: the revision as
//     it was pushed, the variables, our script. Dokku makes them layers of the image, where
//     a removed variable, or a password in BUILDPACK_URL, stays for good.
//   - The variables get into the build three ways, as in Dokku: exported, as files in
//     /tmp/env, and in .env, which /build reads after it has set its own CURL_TIMEOUT. It
//     evaluates .env word by word, so a value with line ends or repeated blanks is not
//     there. Afterwards .env is what the repository has.
//   - .dockerignore has no effect, as in Dokku.
//   - The container keeps the capabilities by which root gives files and itself to another
//     user, and no other.
//   - Without a Procfile, the process types come from the buildpack: /build writes its
//     default types to /app/Procfile.
//   - A revision that no builder detects is built here, as in Dokku, if a file in its root
//     names a language that herokuish has a buildpack for. Dokku builds any other one too,
//     pulls an image of gigabytes for it, and then says "Unable to select a buildpack".
//   - Headings of the buildpacks ("-----> Node.js app detected") are the push's own.
package herokuish
