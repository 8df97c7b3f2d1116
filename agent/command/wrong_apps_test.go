package command

// wrongAppLines go on with wrongLines.
const wrongAppLines = `
# apps:rename, apps:lock, apps:report
apps:rename                        => Please specify an app to run the command on
apps:rename ""                     => Please specify an app to run the command on
apps:rename fresh                  => Please specify an new app name
apps:rename fresh ""               => Please specify an new app name
apps:rename nosuch new             => 20 App nosuch does not exist
apps:rename nosuch hello           => 20 App nosuch does not exist
apps:rename fresh hello            => Name is already taken: app hello exists
apps:rename fresh fresh            => Name is already taken: app fresh exists
apps:rename fresh New              => App name "New" is not valid
apps:rename fresh a_b              => App name "a_b" is not valid
apps:rename fresh ../evil          => App name "../evil" is not valid
apps:rename fresh .dokku           => App name ".dokku" is not valid
apps:rename fresh /home/dokku/new  => App name "/home/dokku/new" is not valid
apps:rename fresh new.git          => App name "new.git" is not valid
apps:rename fresh "new\nname"      => App name "new\nname" is not valid
apps:rename fresh "\x1b[31mnew"    => App name "\x1b[31mnew" is not valid
apps:rename fresh "$(id)"          => App name "$(id)" is not valid
apps:rename fresh -- -x            => App name "-x" is not valid
apps:rename ../fresh new           => App name "../fresh" is not valid
apps:rename fresh new third        => Unexpected argument "third"
apps:rename fresh new --skip       => Invalid flag --skip for apps:rename
apps:rename fresh new --skip-deploy=maybe => Invalid value "maybe" for --skip-deploy
apps:lock                          => Please specify an app to run the command on
apps:lock nosuch                   => 20 App nosuch does not exist
apps:lock hello fresh              => Unexpected argument "fresh"
apps:lock --force-it hello         => Invalid flag --force-it for apps:lock
apps:locked                        => Please specify an app to run the command on
apps:locked nosuch                 => 20 App nosuch does not exist
apps:locked hello                  => Deploy lock does not exist
apps:locked hello fresh            => Unexpected argument "fresh"
apps:unlock                        => Please specify an app to run the command on
apps:unlock nosuch                 => 20 App nosuch does not exist
apps:unlock hello                  => Unable to remove deploy lock: there is none
apps:unlock hello fresh            => Unexpected argument "fresh"
apps:report nosuch                 => 20 App nosuch does not exist
apps:report hello fresh            => Unexpected argument "fresh"
apps:report hello --nosuch         => Invalid flag passed, valid flags: --app-created-at
apps:report hello --app-dir --app-locked => apps:report command allows only a single flag
apps:report hello --format xml     => Invalid format "xml", valid values: stdout, json
apps:report hello --global         => Invalid flag passed, valid flags: --app-created-at
apps:list --format xml             => Invalid format "xml", valid values: stdout, json
apps:list --format                 => --format needs a value

# ports
ports:list                         => Please specify an app to run the command on
ports:list nosuch                  => 20 App nosuch does not exist
ports:list hello http              => Unexpected argument "http"
ports:list hello --format xml      => Invalid format "xml", valid values: stdout, json
ports:list hello --json            => Invalid flag --json for ports:list
ports:set                          => Please specify an app to run the command on
ports:set nosuch http:80:5000      => 20 App nosuch does not exist
ports:set hello                    => No port mapping specified
ports:set hello ""                 => Invalid port map
ports:set hello 80                 => Invalid port map 80: write SCHEME:HOST-PORT:CONTAINER-PORT, such as http:8080:5000
ports:set hello http:80            => Invalid port map http:80: write SCHEME
ports:set hello http:80:5000:1     => Invalid port map http:80:5000:1: write SCHEME
ports:set hello https:443:5000     => Invalid port map https:443:5000: TLS is not supported yet, only http is
ports:set hello grpc:80:5000       => Invalid port map grpc:80:5000: grpc is not supported yet, only http is
ports:set hello grpcs:443:5000     => Invalid port map grpcs:443:5000: TLS is not supported yet, only http is
ports:set hello HTTP:80:5000       => Invalid port map HTTP:80:5000: there is no scheme "HTTP", only http is supported
ports:set hello tcp:80:5000        => Invalid port map tcp:80:5000: there is no scheme "tcp", only http is supported
ports:set hello :80:5000           => Invalid port map :80:5000: there is no scheme "", only http is supported
ports:set hello http:0:5000        => Invalid port map http:0:5000: "0" is not a port from 1 to 65535
ports:set hello http:65536:5000    => Invalid port map http:65536:5000: "65536" is not a port from 1 to 65535
ports:set hello http:80:0          => Invalid port map http:80:0: "0" is not a port from 1 to 65535
ports:set hello http:80:70000      => Invalid port map http:80:70000: "70000" is not a port from 1 to 65535
ports:set hello http:-1:5000       => Invalid port map http:-1:5000: "-1" is not a port from 1 to 65535
ports:set hello http:+80:5000      => Invalid port map http:+80:5000: "+80" is not a port from 1 to 65535
ports:set hello http:eighty:5000   => Invalid port map http:eighty:5000: "eighty" is not a port from 1 to 65535
ports:set hello http:80:           => Invalid port map http:80:: "" is not a port from 1 to 65535
ports:set hello "http:80: 5000"    => Invalid port map http:80: 5000: " 5000" is not a port from 1 to 65535
ports:set hello "http:80;}:5000"   => Invalid port map http:80;}:5000: "80;}" is not a port from 1 to 65535
ports:set hello "http:80\n:5000"   => Invalid port map http:80 :5000
ports:set hello "\x1b[2J:80:5000"  => Invalid port map :80:5000: there is no scheme
ports:set hello http:22:5000       => Host port 22 belongs to ssh: choose another one
ports:set hello http:80:5000 http:80:3000 => Host port 80 cannot be mapped twice (http:80:5000, http:80:3000)
ports:set fresh http:8080:5000 https:443:5000 => Invalid port map https:443:5000
ports:set fresh http:22:5000       => Host port 22 belongs to ssh: choose another one
ports:add                          => Please specify an app to run the command on
ports:add nosuch http:8080:5000    => 20 App nosuch does not exist
ports:add hello                    => No port mapping specified
ports:add hello 8080               => Invalid port map 8080: write SCHEME
ports:add hello http:80:3000       => Host port 80 cannot be mapped twice (http:80:5000, http:80:3000)
ports:remove                       => Please specify an app to run the command on
ports:remove nosuch 80             => 20 App nosuch does not exist
ports:remove hello                 => No port mapping specified
ports:remove hello 8080            => Port mapping 8080 does not belong to app hello, which has: http:80:5000
ports:remove hello http:80:3000    => Port mapping http:80:3000 does not belong to app hello, which has: http:80:5000
ports:remove hello 80              => Port mapping 80 is the only one of hello: set another with ports:set, or the default with ports:clear
ports:remove hello eighty          => Invalid port map eighty: "eighty" is not a port from 1 to 65535
ports:remove hello http:x          => Invalid port map http:x: "x" is not a port from 1 to 65535
ports:remove hello https:443:5000  => Invalid port map https:443:5000: TLS is not supported yet, only http is
ports:clear                        => Please specify an app to run the command on
ports:clear nosuch                 => 20 App nosuch does not exist
ports:clear hello 80               => Unexpected argument "80"
ports:report nosuch                => 20 App nosuch does not exist
ports:report hello --nosuch        => Invalid flag passed, valid flags: --ports-map, --ports-map-detected
ports:nosuch hello                 => ${"\x60ports:nosuch\x60 is not a dokku command."}

# origins, cleanup, more of domains, proxy, git and urls
config:show hello --origin=maybe   => Invalid value "maybe" for --origin
config:get hello N --origin        => Invalid flag --origin for config:get
config:show nosuch --origin        => 20 App nosuch does not exist
cleanup nosuch                     => 20 App nosuch does not exist
cleanup ../hello                   => App name "../hello" is not valid
cleanup hello fresh                => Unexpected argument "fresh"
cleanup --all                      => Invalid flag --all for cleanup
domains:add-global                 => Missing DOMAIN
domains:add-global bad_            => Invalid domain "bad_"
domains:add-global *.example.com   => Invalid domain "*.example.com": leave out the *., since apps get names below it
domains:add-global "a.com;"        => Invalid domain "a.com;"
domains:remove-global              => Missing DOMAIN
domains:remove-global nosuch.org   => Domain nosuch.org is not a global domain; the global domains are: example.com
domains:clear-global now           => Unexpected argument "now"
domains:enable                     => Please specify an app to run the command on
domains:enable nosuch              => 20 App nosuch does not exist
domains:disable                    => Please specify an app to run the command on
domains:disable hello fresh        => Unexpected argument "fresh"
domains:reset                      => Please specify an app to run the command on
domains:reset nosuch               => 20 App nosuch does not exist
domains:report hello --global      => --global cannot be used together with an app (hello)
domains:report --global --domains-app-vhosts => Invalid flag passed, valid flags: --domains-app-enabled
proxy:set                          => Please specify an app to run the command on
proxy:set hello                    => No property specified
proxy:set hello type caddy         => Invalid type specified: "caddy", the only supported proxy is nginx
proxy:set --global type haproxy    => Invalid type specified: "haproxy", the only supported proxy is nginx
proxy:set hello nginx              => Invalid property specified, valid properties include: type
proxy:set nosuch type nginx        => 20 App nosuch does not exist
git:set hello rev-env-var A-B      => Invalid key name: 'A-B'
git:set hello rev-env-var PORT     => Invalid rev-env-var specified: dokku sets PORT itself for each process
git:set hello rev-env-var "A=1"    => Invalid key name: 'A=1'
git:set --global rev-env-var 1A    => Invalid key name: '1A'
url                                => Please specify an app to run the command on
url nosuch                         => 20 App nosuch does not exist
url hello web                      => Unexpected argument "web"

# doctor
doctor nosuch                      => 20 App nosuch does not exist
doctor HELLO                       => App name "HELLO" is not valid
doctor hello web                   => Unexpected argument "web"
doctor hello --format xml          => Invalid format "xml", valid values: stdout, json
doctor --format                    => --format needs a value
doctor --fix=maybe                 => Invalid value "maybe" for --fix
doctor --mend                      => Invalid flag --mend for doctor, valid flags: --app, --fix, --force, --format
doctor --global                    => Invalid flag --global for doctor
doctor:fix                         => ${"\x60doctor:fix\x60 is not a dokku command."}
`
